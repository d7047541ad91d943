// What must hold, before anything else.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.stat(
    'Unaccounted messages',
    |||
      Messages received that are neither settled nor waiting, over all channels, in one snapshot of the store. Always 0:
      anything else means that one is missing or was counted twice. Run `orderbox audit`, then follow the runbook.
    |||,
    'short',
    query(expr.store('orderbox_unaccounted_messages'), 'unaccounted'),
    [[null, 'green'], [1, 'red']]
  ),
  panel.stat(
    'Oldest pending',
    |||
      How long the oldest message in the inbox has waited to be settled. Well under a second is normal. If it grows, look at
      the row Store and at `/healthz`, which names rows that fail alone.
    |||,
    's',
    query(expr.store('orderbox_inbox_oldest_pending_seconds'), 'oldest pending'),
    [[null, 'green'], [10, 'yellow'], [60, 'red']]
  ),
  panel.stat(
    'Readable within 1 s',
    |||
      Share of the applied and replaced orders that could be read within a second of their publication. The objective is 99 %.
      A backlog that is worked off after a stop counts as late. If it is low, see where the time goes in the row Latency.
    |||,
    'percentunit',
    query(expr.share('orderbox_publish_to_visible_seconds', '1'), 'within 1 s'),
    [[null, 'red'], [0.95, 'yellow'], [0.99, 'green']],
    none='no orders'
  ),
  panel.stat(
    'Freshness burn, 1 h',
    |||
      How fast the late orders of the last hour, of all instances, use up the 1 % that may be late; at 1 exactly all of it. Above 1
      for long, the objective of 30 days is missed; at 14.4 somebody is paged.
    |||,
    'short',
    query(expr.burn('orderbox_late_orders_per_orders', '1h', '0.01'), 'burn'),
    [[null, 'green'], [1, 'yellow'], [14.4, 'red']],
    none='no orders'
  ),
  panel.stat(
    'Commits, p99',
    |||
      99 of 100 transactions were shorter. The objective is 250 ms; a few milliseconds are normal on a good disk. If it is
      high, the disk of the store is slow or has other users.
    |||,
    's',
    // Without a commit the quantile is no number.
    query(expr.quantile('0.99', 'orderbox_commit_duration_seconds') + ' >= 0', 'p99'),
    [[null, 'green'], [0.1, 'yellow'], [0.25, 'red']],
    none='no commits'
  ),
  panel.stat(
    'NATS Streaming',
    |||
      Whether the NATS Streaming server answers; of several instances the worst. While it does not, nothing new comes in and
      nothing is lost; see the runbook. Without `STAN_URL` there is nothing to show.
    |||,
    'short',
    query('min(%s)' % expr.of('orderbox_stan_connected'), 'connected'),
    [[null, 'red'], [1, 'green']],
    none='not configured'
  ) + panel.words({ '0': ['disconnected', 'red'], '1': ['connected', 'green'] }),
  panel.stat(
    'Open dead letters',
    |||
      Rejected messages that nobody has dealt with yet. 0 when the publishers are sound. Look at them with
      `orderbox dead-letters list` or on the page.
    |||,
    'short',
    query(expr.store('orderbox_dead_letters', matchers='resolution="open"'), 'open'),
    [[null, 'green'], [1, 'yellow']]
  ),
  panel.stat(
    'Oldest dead letter',
    |||
      How long the oldest open dead letter has waited for a person; 0 when there is none. Days mean that nobody looks.
    |||,
    's',
    query(expr.store('orderbox_oldest_dead_letter_seconds'), 'oldest open'),
    [[null, 'green'], [86400, 'yellow'], [604800, 'red']]
  ),
]
