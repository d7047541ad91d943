// What comes in, what becomes of it, and what waits.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

// Line and stack of one panel: messages received, and what became of them.
local balance =
  local colours = {
    applied: 'green',
    replaced: 'blue',
    unchanged: 'purple',
    outdated: 'yellow',
    rejected: 'red',
    'pending grows': 'text',
  };
  local coloured(panels, name) =
    panels + panel.series(name, { color: { mode: 'fixed', fixedColor: colours[name] } });
  local stack = panel.lines(
    'In and out',
    |||
      Line: messages received. Stack: what became of them, and on top how fast the inbox fills. Both are equally high: received =
      applied + replaced + unchanged + outdated + rejected + growth of pending. While a backlog is worked off the inbox
      shrinks and hangs below zero; then what stands above exceeds the line by that much. From scrape to scrape the two may
      differ a little: the exact balance is the first figure of this dashboard.
    |||,
    'mps',
    [
      query(expr.rate('orderbox_messages_settled_total', 'outcome'), '{{outcome}}'),
      // Each instance sees the same inbox; the greatest of several slopes would be a little too steep.
      query('avg(deriv(%s[$__rate_interval]))' % expr.of('orderbox_inbox_pending'), 'pending grows'),
      query(expr.rate('orderbox_messages_received_total'), 'received'),
    ],
    width=12,
    height=10
  ) + panel.stacked + panel.anywhere;
  std.foldl(coloured, std.objectFields(colours), stack) + panel.series('received', {
    color: { mode: 'fixed', fixedColor: 'orange' },
    'custom.stacking': { mode: 'none', group: 'A' },
    'custom.fillOpacity': 0,
    'custom.lineWidth': 2,
  });

[
  balance,
  panel.lines(
    'Pending and in flight',
    |||
      Pending: messages in the inbox, recorded and not settled. In flight: messages that the processes hold between receipt and
      ack, what is not recorded yet included. Both return to 0 when nothing comes in. If pending stays, the store refuses
      something: see the row Store.
    |||,
    'short',
    [
      query(expr.store('orderbox_inbox_pending'), 'pending'),
      query(expr.sum('orderbox_inbox_in_flight'), 'in flight'),
    ],
    width=6,
    height=10
  ),
  panel.lines(
    'Received by source',
    |||
      New messages written to the inbox, by where they came from. The sample order comes once, into an empty store. If a source
      falls to 0 while its publishers work, look at the lag.
    |||,
    'mps',
    [query(expr.rate('orderbox_messages_received_total', 'source'), '{{source}}')],
    width=6,
    height=10
  ) + panel.stacked,
  panel.lines(
    'Lag',
    |||
      Messages published to the channel or the stream and not yet written to the inbox. Near 0 is normal; after a stop it falls as fast as the
      service can write. If it grows, the service is slower than its publishers or does not receive at all. It is not drawn
      while it is unknown.
    |||,
    'short',
    [query(expr.store('orderbox_source_lag_messages', 'source'), '{{source}}')]
  ),
  panel.lines(
    'Age of the oldest pending',
    |||
      How long the oldest message in the inbox has waited. Well under a second is normal; a line that climbs one second a second
      is one message that does not get settled. `/healthz` names it.
    |||,
    's',
    [query(expr.store('orderbox_inbox_oldest_pending_seconds'), 'oldest pending')]
  ) + panel.limits([[null, 'green'], [60, 'red']]),
  panel.lines(
    'Position in the channel',
    |||
      Sequence of the last message stored in the STAN channel, asked for every 15 s. It climbs as fast as is published; flat, nobody
      publishes. A fall means that the broker lost its store and counts from 1 again.
    |||,
    'none',
    [query(expr.store('orderbox_stan_last_sequence'), 'last sequence')]
  ) + panel.anywhere,
]
