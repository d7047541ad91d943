// What the broker has to send again.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.heatmap(
    'Ack headroom',
    |||
      What was left of the ack wait when a message was acked. Most belong near the whole of it. Samples in the lowest bucket
      came too late, and the broker sends those messages again: shorten the way to the ack or raise the ack wait.
    |||,
    's',
    expr.of('orderbox_ack_headroom_seconds_bucket')
  ),
  panel.lines(
    'Acks that came too late',
    |||
      Messages that were acked after their ack wait, so that the broker had already begun to send them again. 0 is normal;
      nothing is lost by it, but work is done twice.
    |||,
    'mps',
    [query(expr.under('orderbox_ack_headroom_seconds', '0'), 'too late')],
    width=6
  ) + panel.limits([[null, 'green'], [0.001, 'red']]),
  panel.lines(
    'Redelivered',
    |||
      Copies of messages that are in flight or in the inbox. A few after a restart or a broken connection are normal. A steady
      stream means that acks come too late: look at the ack headroom.
    |||,
    'mps',
    [query(expr.rate('orderbox_messages_redelivered_total', 'source'), '{{source}}')],
    width=6
  ),
  panel.lines(
    'Dropped deliveries',
    |||
      Deliveries that were dropped without an ack, because the pipeline was full or the service was stopping. They come back
      after the ack wait. 0 is normal; more for long means that the store is slower than the channel, or `PIPELINE_BYTES` is
      too small.
    |||,
    'mps',
    [query(expr.rate('orderbox_deliveries_dropped_total', 'source'), '{{source}}')],
    width=12
  ) + panel.limits([[null, 'green'], [0.001, 'red']]),
  panel.lines(
    'Reconnects',
    |||
      Connections to NATS Streaming and to JetStream after the first, about as many as fell into the last minute before each point; so
      one is drawn at several points in a row. 0 is normal. Each one brings back what was not acked; many mean an unstable
      network or server.
    |||,
    'short',
    [
      query('sum(increase(%s[$__rate_interval]))' % expr.of('orderbox_stan_reconnects_total'), 'stan'),
      query('sum(increase(%s[$__rate_interval]))' % expr.of('orderbox_jetstream_reconnects_total'), 'jetstream'),
    ],
    width=12
  ),
  panel.lines(
    'Gaps in the channel',
    |||
      Runs of messages that the channel skipped and that did not come within three ack waits, about as many as fell into the last minute
      before each point. Anything but 0 means that the broker has lost messages; `/api/status` lists them.
    |||,
    'short',
    [query('sum(increase(%s[$__rate_interval]))' % expr.of('orderbox_sequence_gaps_total'), 'gaps')],
    width=12
  ) + panel.limits([[null, 'green'], [0.001, 'red']]),
  panel.lines(
    'Brokers that answer',
    |||
      1 while NATS Streaming, or JetStream, answers; of several instances the worst. While one does not, nothing new comes from it and
      nothing is lost: `/healthz` says why. What is not configured is not drawn.
    |||,
    'short',
    [
      query('min(%s)' % expr.of('orderbox_stan_connected'), 'stan'),
      query('min(%s)' % expr.of('orderbox_jetstream_connected'), 'jetstream'),
    ],
    width=12
  ),
]
