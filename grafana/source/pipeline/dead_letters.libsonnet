// Messages that became no orders.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

[
  panel.lines(
    'Rejections by reason',
    |||
      Messages that became dead letters, by the reason. None is normal when the publishers are sound. `refused_by_store` and
      `panicked` are bugs of ours: report them with the message.
    |||,
    'mps',
    [query(expr.rate('orderbox_rejections_total', 'reason'), '{{reason}}')]
  ) + panel.stacked,
  panel.lines(
    'Field errors by code',
    |||
      What was wrong with the fields of messages of the reason `invalid_fields`; one message may have many. One code that rises
      alone is a change at a publisher: `orderbox dead-letters show` says which field.
    |||,
    'eps',
    [query(expr.rate('orderbox_field_errors_total', 'code'), '{{code}}')]
  ) + panel.stacked,
  panel.lines(
    'Dead letters by resolution',
    |||
      All dead letters in the store, by what has become of them. Open ones wait for a person; the others are kept as a record.
    |||,
    'short',
    [query(expr.store('orderbox_dead_letters', 'resolution'), '{{resolution}}')]
  ),
  panel.lines(
    'Replays by result',
    |||
      Dead letters that were replayed, by what became of them. `rejected` ones are dead letters again: what was wrong with them still
      is. `unchanged` and `outdated` ones came too late to matter.
    |||,
    'mps',
    [query(expr.rate('orderbox_replays_total', 'result'), '{{result}}')]
  ) + panel.stacked,
]
