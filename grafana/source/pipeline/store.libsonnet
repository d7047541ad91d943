// What the database makes of it.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.lines(
    'Store errors by class',
    |||
      Calls to the store that failed, those in the search for one bad row included. transient: an outage, or a row refused for now;
      tried again until it heals. data: a row was refused and becomes a dead letter. redelivery: the row was there already. 0 is
      normal; `/healthz` says what the store answered. An outage shows in the retries.
    |||,
    'eps',
    [query(expr.rate('orderbox_store_errors_total', 'class'), '{{class}}')]
  ),
  panel.lines(
    'Retries by stage',
    |||
      Calls to the store that were tried again after a pause. 0 is normal. Retries without end are an outage: nothing is acked and
      nothing is lost meanwhile.
    |||,
    'eps',
    [query(expr.rate('orderbox_retries_total', 'stage'), '{{stage}}')]
  ),
  panel.lines(
    'Split batches',
    |||
      Batches that were halved to find the row that the store refuses; one bad row costs about ten at the usual batch size. 0 is
      normal.
    |||,
    'eps',
    [query(expr.rate('orderbox_batch_splits_total'), 'splits')]
  ),
  panel.lines(
    'Connections',
    |||
      Connections of the pools to the store, busy and idle. All busy for long means that calls wait for one: the store is slow.
    |||,
    'short',
    [query(expr.sum('orderbox_store_pool_connections', 'state'), '{{state}}')]
  ) + panel.stacked,
  panel.lines(
    'Available to the store',
    |||
      Free bytes of the file system of the SQLite file. Make room before it ends: a full disk stops all writing, though nothing
      is lost and reads go on. Nothing is drawn on PostgreSQL, whose disk a client can't see.
    |||,
    'bytes',
    [query('min(%s)' % expr.of('orderbox_store_available_bytes'), 'available')]
  ),
  panel.lines(
    'Oddities of accepted messages',
    |||
      Warnings by code: what was odd about messages that became orders all the same. Much of one kind is usual for a publisher; a
      sudden change is worth a question to it.
    |||,
    'eps',
    [query(expr.rate('orderbox_warnings_total', 'code'), '{{code}}')]
  ),
  panel.lines(
    'Deleted for their age',
    |||
      Rows that were deleted because they were as old as ORDER_RETENTION, DEAD_LETTER_RETENTION and HISTORY_RETENTION say. 0 while none of
      these is set, and a step once a minute at most while one is.
    |||,
    'eps',
    [query(expr.rate('orderbox_expired_total', 'what'), '{{what}}')]
  ),
]
