// How long answers take.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

local requests = 'orderbox_http_request_duration_seconds';
local reads = 'route="get_order"';

[
  panel.heatmap(
    'Duration of reads',
    |||
      From the parsed head of a read to the head of its answer. The band at the bottom, tens of microseconds, is answered from
      memory; a second band around a millisecond is loaded from the store. 99.9 % belong under 10 ms.
    |||,
    's',
    expr.of(requests + '_bucket', reads)
  ),
  panel.lines(
    'Percentiles of reads',
    |||
      So many of the reads were faster. p50 in tens of microseconds is memory. The objective is 10 ms for 99.9 %. The lines are
      estimates between the edges of the buckets beside.
    |||,
    's',
    [
      query(expr.quantile(q[0], requests, matchers=reads), q[1])
      for q in [['0.5', 'p50'], ['0.95', 'p95'], ['0.99', 'p99'], ['0.999', 'p99.9']]
    ],
    width=6
  ) + panel.limits([[null, 'green'], [0.01, 'red']]),
  panel.lines(
    'p99 by route',
    |||
      99 of 100 requests of a route were answered faster. `post_order` waits for a commit, `health` and `metrics` may wait for
      the store; they do not slow down reads.
    |||,
    's',
    [query(expr.quantile('0.99', requests, 'route'), '{{route}}')],
    width=6
  ),
]
