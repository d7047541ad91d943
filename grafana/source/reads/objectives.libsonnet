// What readers were promised, before anything else.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

local requests = 'orderbox_http_request_duration_seconds';
local reads = 'route="get_order"';

[
  panel.stat(
    'Availability',
    |||
      Share of the reads of an order that were not answered with a 5xx. The objective is 99.9 % over 30 days. If it is low, the
      store fails and the orders asked for are not in memory: see the errors below and the store on the pipeline's dashboard.
    |||,
    'percentunit',
    query(
      '1 - ' + expr.ratio(
        expr.rate(requests + '_count', matchers=reads + ', status=~"5.."'),
        expr.rate(requests + '_count', matchers=reads)
      ),
      'availability'
    ),
    [[null, 'red'], [0.99, 'yellow'], [0.999, 'green']],
    none='no reads'
  ),
  panel.stat(
    'Within 10 ms',
    |||
      Share of the reads, without those that failed, that were answered within 10 ms. The objective is 99.9 %. If it is low, see
      whether orders are loaded from the store instead of memory, and whether the processor is busy.
    |||,
    'percentunit',
    query(expr.share(requests, '0.01', reads + ', status!~"5.."'), 'within 10 ms'),
    [[null, 'red'], [0.99, 'yellow'], [0.999, 'green']],
    none='no reads'
  ),
  panel.stat(
    'Availability burn, 1 h',
    |||
      How fast the failed reads of the last hour, of all instances, use up the 0.1 % that may fail; at 1 exactly all of it. Above
      1 for long, the objective of 30 days is missed; at 14.4 somebody is paged.
    |||,
    'short',
    query(expr.burn('orderbox_read_failures_per_reads', '1h', '0.001'), 'burn'),
    [[null, 'green'], [1, 'yellow'], [14.4, 'red']],
    none='no reads'
  ),
  panel.stat(
    'Latency burn, 1 h',
    |||
      How fast the slow reads of the last hour, of all instances, use up the 0.1 % that may take longer than 10 ms; at 1 exactly
      all of it. Above 1 for long, the objective of 30 days is missed; at 14.4 somebody is paged.
    |||,
    'short',
    query(expr.burn('orderbox_slow_reads_per_reads', '1h', '0.001'), 'burn'),
    [[null, 'green'], [1, 'yellow'], [14.4, 'red']],
    none='no reads'
  ),
  panel.stat(
    'Reads',
    |||
      Reads of an order a second, over the chosen instances. Compare with the same hour of another day: a sudden fall is often a
      proxy that has lost an instance.
    |||,
    'reqps',
    query(expr.rate(requests + '_count', matchers=reads), 'reads'),
    [[null, 'blue']]
  ),
  panel.stat(
    'Cache hits',
    |||
      Share of the reads of existing orders that were answered from memory. Close to 100 % is normal once the cache is rebuilt.
      Below 90 % for long, `CACHE_BYTES` is too small for what is read.
    |||,
    'percentunit',
    query(
      expr.ratio(
        expr.rate('orderbox_cache_requests_total', matchers='result="hit"'),
        expr.rate('orderbox_cache_requests_total', matchers='result=~"hit|loaded"')
      ),
      'hits'
    ),
    [[null, 'red'], [0.9, 'yellow'], [0.99, 'green']],
    none='no reads'
  ),
  panel.stat(
    'Instances down',
    |||
      Instances that did not answer the last scrape, of those chosen; 0 is normal. The row Process says which. An instance that
      Prometheus was never told of is not counted.
    |||,
    'short',
    query('count(%s) - sum(%s)' % [expr.of('up', 'job="orderbox"'), expr.of('up', 'job="orderbox"')], 'down'),
    [[null, 'green'], [1, 'red']],
    none='no target'
  ),
  panel.stat(
    'Uptime',
    |||
      How long the instance that was started last has been running. A short time that nobody can explain is a crash: look at its
      log.
    |||,
    's',
    query('time() - max(%s)' % expr.of('process_start_time_seconds', 'job="orderbox"'), 'uptime'),
    [[null, 'blue']]
  ),
]
