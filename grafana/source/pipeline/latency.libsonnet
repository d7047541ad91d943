// How long messages take, and where.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.heatmap(
    'Publication to readable',
    |||
      From the broker's time of a message to the moment its order could be read, for applied and replaced orders. 99 % belong
      under 1 s. The clocks of broker and service must agree. A band that rises is a backlog.
    |||,
    's',
    expr.of('orderbox_publish_to_visible_seconds_bucket')
  ),
  panel.heatmap(
    'Receipt to ack',
    |||
      From the receipt of a message to its ack: two commits and the waiting between them. Tens of milliseconds are normal under
      load. If this is low and publication to readable is high, the time is lost before the service.
    |||,
    's',
    expr.of('orderbox_receive_to_ack_seconds_bucket')
  ),
  panel.heatmap(
    'Commits that record',
    |||
      Duration of the transactions that write messages to the inbox. A few milliseconds are normal; the objective for 99 of 100
      is 250 ms. If it is high here and below, the disk is slow; if only here, look for other writers.
    |||,
    's',
    expr.of('orderbox_commit_duration_seconds_bucket', 'stage="record"')
  ),
  panel.heatmap(
    'Commits that settle',
    |||
      Duration of the transactions that turn a batch into orders and dead letters. It grows with the size of the batch; the
      objective for 99 of 100 is 250 ms. If it is high with small batches, the store is slow or rows are locked.
    |||,
    's',
    expr.of('orderbox_commit_duration_seconds_bucket', 'stage="settle"')
  ),
  panel.lines(
    'p99',
    |||
      99 of 100 were faster: publication to readable, receipt to ack, and commits by stage. The stages are parts of the receipt
      to ack, which is part of the whole: the one that rises first is where to look.
    |||,
    's',
    [
      query(expr.quantile('0.99', 'orderbox_publish_to_visible_seconds'), 'publication to readable'),
      query(expr.quantile('0.99', 'orderbox_receive_to_ack_seconds'), 'receipt to ack'),
      query(expr.quantile('0.99', 'orderbox_commit_duration_seconds', 'stage'), 'commit: {{stage}}'),
    ]
  ) + panel.limits([[null, 'green'], [1, 'red']]),
  panel.lines(
    'Batch size',
    |||
      Rows of a transaction, in the mean. 1 when little comes in; under load it grows by itself up to `BATCH_SIZE`. Batches at
      the limit all the time mean that the store can't keep up.
    |||,
    'short',
    [query(expr.mean('orderbox_batch_size', 'stage'), '{{stage}}')]
  ),
  panel.lines(
    'Transactions',
    |||
      Committed batches a second. It rises with the load only up to what the disk can sync, then the batches grow instead. 0
      while messages are pending means that nothing can be committed.
    |||,
    'ops',
    [query(expr.rate('orderbox_commit_duration_seconds_count', 'stage'), '{{stage}}')]
  ),
]
