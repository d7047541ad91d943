// The frame of a dashboard: variables, links, and rows whose panels are laid out from left to right and numbered.
local datasource = (import 'panel.libsonnet').datasource;

local place(rows) =
  local step(at, panel) =
    local fits = at.x + panel.gridPos.w <= 24;
    local x = if fits then at.x else 0;
    local y = if fits then at.y else at.y + at.height;
    {
      x: x + panel.gridPos.w,
      y: y,
      height: if fits then std.max(at.height, panel.gridPos.h) else panel.gridPos.h,
      panels: at.panels + [panel { id: std.length(at.panels) + 1, gridPos+: { x: x, y: y } }],
    };
  // A row heading is a panel as wide as the grid, so that what follows begins on a new line.
  local heading(title) = { type: 'row', title: title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } };
  local all = std.flattenArrays([[heading(row.title)] + row.panels for row in rows]);
  std.foldl(step, all, { x: 0, y: 0, height: 0, panels: [] }).panels;

local link(title, url, icon) = {
  type: 'link',
  title: title,
  url: url,
  icon: icon,
  tags: [],
  tooltip: '',
  asDropdown: false,
  targetBlank: false,
  includeVars: false,
  keepTime: false,
};

{
  // A row: its title and its panels.
  row(title, panels):: { title: title, panels: panels },

  // A link to another of these dashboards, which keeps the time and the instances that are looked at.
  to(uid, title):: link(title, '/d/' + uid, 'dashboard') { includeVars: true, keepTime: true },

  // The link to what to do about an alert.
  runbook:: link('Runbook', 'https://github.com/orderbox/orderbox/blob/main/docs/RUNBOOK.md', 'doc') { targetBlank: true },

  new(uid, title, description, links, rows):: {
    id: null,
    uid: uid,
    title: title,
    description: description,
    tags: ['orderbox'],
    // Grafana 11.6 and newer.
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    fiscalYearStartMonth: 0,
    liveNow: false,
    preload: false,
    refresh: '10s',
    time: { from: 'now-30m', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    weekStart: '',
    links: links,
    annotations: { list: [{
      name: 'Starts',
      enable: true,
      iconColor: 'blue',
      datasource: datasource,
      target: {
        refId: 'Anno',
        expr: 'process_start_time_seconds{job="orderbox", instance=~"$instance"} * 1000',
      },
      // The value says when, in milliseconds.
      useValueForTime: true,
      titleFormat: 'orderbox started',
      textFormat: '{{instance}}',
    }] },
    templating: { list: [
      {
        name: 'datasource',
        label: 'Data source',
        type: 'datasource',
        query: 'prometheus',
        refresh: 1,
        regex: '',
        hide: 0,
        multi: false,
        includeAll: false,
        current: { text: 'Prometheus', value: 'prometheus' },
        options: [],
      },
      {
        name: 'instance',
        label: 'Instance',
        type: 'query',
        datasource: datasource,
        definition: self.query.query,
        query: { qryType: 1, query: 'label_values(orderbox_build_info, instance)', refId: 'instance' },
        // At each change of the time range: instances come and go.
        refresh: 2,
        regex: '',
        sort: 1,
        hide: 0,
        multi: true,
        includeAll: true,
        // One pattern instead of a list of names, which would leave out an instance that is gone by now.
        allValue: '.+',
        current: { text: ['All'], value: ['$__all'] },
        options: [],
      },
    ] },
    panels: place(rows),
  },
}
