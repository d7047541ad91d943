// What is asked and what is answered.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

local requests = 'orderbox_http_request_duration_seconds';
local reads = 'route="get_order"';
local failed = 'status=~"5.."';

local burns(failures) = [
  query(expr.burn(failures, window, '0.001'), window)
  for window in ['5m', '1h', '6h', '3d']
];

[
  panel.lines(
    'Requests by route',
    |||
      Requests answered a second. `get_order` are the reads, `post_order` messages that come in over HTTP; `other` is the page,
      its assets, and whatever is no route.
    |||,
    'reqps',
    [query(expr.rate(requests + '_count', 'route'), '{{route}}')]
  ) + panel.stacked,
  panel.lines(
    'Reads by status',
    |||
      Reads of an order by what was answered. 200 and 304 (unchanged since the reader last asked) are normal. 404: no such order;
      400: no or an impossible uid; 503: the store is down and the order is not in memory.
    |||,
    'reqps',
    [query(expr.rate(requests + '_count', 'status', reads), '{{status}}')]
  ) + panel.stacked,
  panel.lines(
    'Errors by route and status',
    |||
      Answers with a 5xx a second. None is normal. 503 says that the store is down or the service is stopping; 500 is a bug, and
      the log has the request's route.
    |||,
    'reqps',
    [query(expr.rate(requests + '_count', 'route, status', failed), '{{route}} {{status}}')]
  ),
  panel.lines(
    'Burn of the availability',
    |||
      How fast failed reads use up the error budget, over windows of several lengths. 1 is what the objective allows. The long
      windows prove that it matters, the short ones that it still goes on.
    |||,
    'short',
    burns('orderbox_read_failures_per_reads')
  ) + panel.limits([[null, 'green'], [1, 'yellow'], [14.4, 'red']]),
  panel.lines(
    'Burn of the latency',
    |||
      How fast slow reads use up the error budget, over windows of several lengths. 1 is what the objective allows. The long
      windows prove that it matters, the short ones that it still goes on.
    |||,
    'short',
    burns('orderbox_slow_reads_per_reads')
  ) + panel.limits([[null, 'green'], [1, 'yellow'], [14.4, 'red']]),
  panel.lines(
    'Requests in flight',
    |||
      Requests that are being answered at the moment of the scrape, without those answered from memory at once. A few are
      normal. If they pile up, the store is slow: reads wait for it.
    |||,
    'short',
    [query(expr.sum('orderbox_http_requests_in_flight', 'instance'), '{{instance}}')]
  ) + panel.stacked,
]
