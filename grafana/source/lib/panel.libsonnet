// The kinds of panels. Each takes a title, a description (what it shows, what is normal, what to do), a unit and queries;
// what all panels of a kind have in common stands here once. Sizes are in Grafana's grid, which is 24 wide.
{
  datasource:: { type: 'prometheus', uid: '${datasource}' },

  // A query and how its series are named.
  query(expr, legend):: { expr: std.strReplace(std.stripChars(expr, '\n'), '\n', ' '), legendFormat: legend },

  // Steps of colour: a list of [from, colour]; the first holds from minus infinity.
  steps(list):: [
    { color: step[1], value: step[0] }
    for step in list
  ],

  local panel(type, title, description, unit, queries, width, height, instant=false) = {
    type: type,
    title: title,
    description: std.strReplace(std.stripChars(description, '\n'), '\n', ' '),
    datasource: $.datasource,
    gridPos: { w: width, h: height },
    targets: [
      { refId: std.char(std.codepoint('A') + i), datasource: $.datasource, editorMode: 'code', instant: instant, range: !instant } + queries[i]
      for i in std.range(0, std.length(queries) - 1)
    ],
    fieldConfig: {
      defaults: {
        unit: unit,
        color: { mode: 'palette-classic' },
        thresholds: { mode: 'absolute', steps: $.steps([[null, 'green']]) },
        mappings: [],
      },
      overrides: [],
    },
  },

  // The figure of this moment, coloured by `steps`; `none` stands there when there is none now. An instant query, for the last
  // figure of a range would stand there as if it were today's while the store or the process is away.
  stat(title, description, unit, query, steps, width=3, none='unknown')::
    panel('stat', title, description, unit, [query], width, 4, instant=true) + {
      fieldConfig+: { defaults+: {
        color: { mode: 'thresholds' },
        thresholds+: { steps: $.steps(steps) },
        noValue: none,
      } },
      options: {
        colorMode: 'background',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        textMode: 'auto',
        wideLayout: true,
        percentChangeColorMode: 'standard',
        showPercentChange: false,
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
    },

  // Words in place of a figure: a map from value to [text, colour].
  words(values):: { fieldConfig+: { defaults+: { mappings: [{
    type: 'value',
    options: {
      [value]: { text: values[value][0], color: values[value][1], index: 0 }
      for value in std.objectFields(values)
    },
  }] } } },

  // Lines over time, from 0 up.
  lines(title, description, unit, queries, width=8, height=8)::
    panel('timeseries', title, description, unit, queries, width, height) + {
      fieldConfig+: { defaults+: {
        min: 0,
        custom: {
          drawStyle: 'line',
          lineWidth: 1,
          fillOpacity: 10,
          showPoints: 'auto',
          spanNulls: false,
          stacking: { mode: 'none', group: 'A' },
          thresholdsStyle: { mode: 'off' },
        },
      } },
      options: {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },

  // Lines that stand on each other.
  stacked:: { fieldConfig+: { defaults+: { custom+: { fillOpacity: 50, stacking: { mode: 'normal', group: 'A' } } } } },

  // A line that must not be crossed, drawn where `steps` change colour.
  limits(steps):: { fieldConfig+: { defaults+: {
    thresholds+: { steps: $.steps(steps) },
    custom+: { thresholdsStyle: { mode: 'dashed' } },
  } } },

  // Shares: the axis ends at 1.
  share:: { fieldConfig+: { defaults+: { max: 1 } } },

  // Values that may be negative, or whose distance from 0 says nothing.
  anywhere:: { fieldConfig+: { defaults+: { min:: null } } },

  // One series drawn otherwise than the rest: `properties` is a map from a field option to its value.
  series(name, properties):: { fieldConfig+: { overrides+: [{
    matcher: { id: 'byName', options: name },
    properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)],
  }] } },

  // How a histogram's samples are spread over its buckets; `unit` is that of the bounds.
  heatmap(title, description, unit, selector, width=12, height=8)::
    panel(
      'heatmap',
      title,
      description,
      unit,
      [$.query('sum by (le) (rate(%s[$__rate_interval]))' % selector, '{{le}}') { format: 'heatmap' }],
      width,
      height,
    ) + {
      maxDataPoints: 120,
      options: {
        calculate: false,
        cellGap: 1,
        cellValues: { unit: 'short' },
        color: { mode: 'scheme', scheme: 'Oranges', scale: 'exponential', exponent: 0.5, fill: 'dark-orange', steps: 64, reverse: false },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', yHistogram: true, showColorScale: true },
        yAxis: { unit: unit, axisPlacement: 'left', reverse: false },
      },
    },
}
