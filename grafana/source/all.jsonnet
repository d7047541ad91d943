// Every dashboard by the name of its file in grafana/dashboards. `make dashboards` writes them.
{
  'pipeline.json': import 'pipeline.jsonnet',
  'reads.json': import 'reads.jsonnet',
}
