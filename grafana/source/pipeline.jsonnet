// From the broker to the store: is every message accounted for, how fast is it, and what stands in the way.
local dashboard = import 'lib/dashboard.libsonnet';

dashboard.new(
  uid='orderbox-pipeline',
  title='orderbox: pipeline',
  description='From the broker to the store: is every message accounted for, how fast is it, and what stands in the way.',
  links=[dashboard.to('orderbox-reads', 'Reads'), dashboard.runbook],
  rows=[
    dashboard.row('Objectives', import 'pipeline/objectives.libsonnet'),
    dashboard.row('Flow', import 'pipeline/flow.libsonnet'),
    dashboard.row('Latency', import 'pipeline/latency.libsonnet'),
    dashboard.row('Deliveries', import 'pipeline/deliveries.libsonnet'),
    dashboard.row('Dead letters', import 'pipeline/dead_letters.libsonnet'),
    dashboard.row('Store', import 'pipeline/store.libsonnet'),
  ]
)
