// What readers get: are they answered, how fast, from where, and what the process needs for it.
local dashboard = import 'lib/dashboard.libsonnet';

dashboard.new(
  uid='orderbox-reads',
  title='orderbox: reads',
  description='What readers get: are they answered, how fast, from where, and what the process needs for it.',
  links=[dashboard.to('orderbox-pipeline', 'Pipeline'), dashboard.runbook],
  rows=[
    dashboard.row('Objectives', import 'reads/objectives.libsonnet'),
    dashboard.row('Requests', import 'reads/requests.libsonnet'),
    dashboard.row('Duration', import 'reads/duration.libsonnet'),
    dashboard.row('Cache', import 'reads/cache.libsonnet'),
    dashboard.row('Process', import 'reads/process.libsonnet'),
  ]
)
