// Where the orders that are read come from.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.lines(
    'Reads by result',
    |||
      Where the orders that were asked for were found: in memory (hit), in the store (loaded), nowhere (absent), or the store did
      not answer (error). Many absent come from a reader that guesses, or asks before the message has arrived.
    |||,
    'reqps',
    [query(expr.rate('orderbox_cache_requests_total', 'result'), '{{result}}')]
  ) + panel.stacked,
  panel.lines(
    'Orders in memory',
    |||
      Documents in the cache of each instance. It grows with the orders until `CACHE_BYTES` are used.
    |||,
    'short',
    [query(expr.sum('orderbox_cache_entries', 'instance'), '{{instance}}')]
  ),
  panel.lines(
    'Memory of the cache',
    |||
      What the documents in the cache weigh, by instance; at most `CACHE_BYTES`.
    |||,
    'bytes',
    [query(expr.sum('orderbox_cache_bytes', 'instance'), '{{instance}}')]
  ),
  panel.lines(
    'Evictions',
    |||
      Documents a second that left the cache for want of room. 0 while everything fits. Many together with a falling share of
      hits: raise `CACHE_BYTES`.
    |||,
    'eps',
    [query(expr.rate('orderbox_cache_evictions_total', 'instance'), '{{instance}}')]
  ),
  panel.lines(
    'Rebuild after a start',
    |||
      How far the rebuild of the cache is. It begins at 0 when an instance starts and ends at 100 %. Reads are answered from the
      store meanwhile. If it stays below, the store does not answer.
    |||,
    'percentunit',
    [query(expr.sum('orderbox_cache_rebuild_ratio', 'instance'), '{{instance}}')]
  ) + panel.share,
  panel.lines(
    'Duration of the rebuild',
    |||
      How long the last rebuild of the cache took, by instance; 0 until it has ended. It grows with the number of orders.
    |||,
    's',
    [query(expr.sum('orderbox_cache_rebuild_seconds', 'instance'), '{{instance}}')]
  ),
]
