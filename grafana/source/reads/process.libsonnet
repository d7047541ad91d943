// What the processes need, and whether they run.
local expr = import '../lib/expr.libsonnet';
local panel = import '../lib/panel.libsonnet';
local query = panel.query;

local process = 'job="orderbox"';

[
  panel.lines(
    'Processor',
    |||
      Processors in use by each instance: 1 is one of them all the time. If it stays at the number that the machine has,
      everything gets slower: add an instance or a processor.
    |||,
    'short',
    [query(expr.rate('process_cpu_seconds_total', 'instance', process), '{{instance}}')]
  ),
  panel.lines(
    'Memory',
    |||
      Resident memory of each instance: `CACHE_BYTES` + `PIPELINE_BYTES`, when both are in use, and up to 448 MiB for everything
      else, which is the limit of 1 GiB in docker-compose.yml. If it grows beyond, that is a bug.
    |||,
    'bytes',
    [query('sum by (instance) (%s)' % expr.of('process_resident_memory_bytes', process), '{{instance}}')]
  ),
  panel.lines(
    'File descriptors',
    |||
      Share of the file descriptors an instance may have that are open; most are connections of readers. At 100 % no new
      connection is taken: raise the limit of the process, or look for readers that never close.
    |||,
    'percentunit',
    [query(
      'sum by (instance) (%s) / sum by (instance) (%s)' % [
        expr.of('process_open_fds', process),
        expr.of('process_max_fds', process),
      ],
      '{{instance}}'
    )]
  ) + panel.share + panel.limits([[null, 'green'], [0.8, 'red']]),
  panel.lines(
    'Threads',
    |||
      Threads of each instance: one a processor, and some that wait for the disk of SQLite. It does not grow with the load.
    |||,
    'short',
    [query('sum by (instance) (%s)' % expr.of('process_threads', process), '{{instance}}')]
  ),
  panel.lines(
    'Scrapes',
    |||
      Whether each instance answered Prometheus: 1 or 0. A gap in all other panels with a 0 here is an instance that is down.
    |||,
    'bool_on_off',
    [query('max by (instance) (%s)' % expr.of('up', process), '{{instance}}')]
  ) + panel.share,
  panel.lines(
    'Versions',
    |||
      Instances by the version that they run. Two versions at once are normal only while a new one is rolled out.
    |||,
    'short',
    [query('count by (version) (%s)' % expr.of('orderbox_build_info'), '{{version}}')]
  ) + panel.stacked,
]
