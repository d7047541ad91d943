// The expressions that panels are made of, over the instances that were chosen.
//
// Counters and histograms are of one process, so instances are added up. What is read from the store, every instance reads
// from the same store, so the greatest counts.
local instances = 'instance=~"$instance"';

{
  // A metric of the chosen instances, with further matchers.
  of(metric, matchers=null):: '%s{%s}' % [metric, if matchers == null then instances else instances + ', ' + matchers],

  // Events a second, altogether or by labels.
  rate(metric, by=null, matchers=null)::
    'sum%s(rate(%s[$__rate_interval]))' % [if by == null then '' else ' by (%s) ' % by, $.of(metric, matchers)],

  // A figure that is read from the store.
  store(metric, by=null, matchers=null)::
    'max%s(%s)' % [if by == null then '' else ' by (%s) ' % by, $.of(metric, matchers)],

  // A figure of each process, added up.
  sum(metric, by=null):: 'sum%s(%s)' % [if by == null then '' else ' by (%s) ' % by, $.of(metric)],

  quantile(q, histogram, by=null, matchers=null)::
    'histogram_quantile(%s, %s)' % [q, $.rate(histogram + '_bucket', if by == null then 'le' else 'le, ' + by, matchers)],

  // How fast an objective's budget burns: a recorded share of failures over the share that is allowed.
  burn(failures, window, budget):: 'max(job:%s:ratio_rate%s) / %s' % [failures, window, budget],

  // What the samples of a histogram come to in the middle.
  mean(histogram, by):: '%s / %s' % [$.rate(histogram + '_sum', by), $.rate(histogram + '_count', by)],

  // Samples a second at or under a bound. A whole number stands in `le` as 1 in Prometheus 2 and as 1.0 in Prometheus 3.
  under(histogram, bound, matchers=null)::
    local le = if std.length(std.findSubstr('.', bound)) > 0 then 'le="%s"' % bound else 'le=~"%s|%s[.]0"' % [bound, bound];
    $.rate(histogram + '_bucket', matchers=if matchers == null then le else matchers + ', ' + le),

  // A share of what there was, and nothing instead of 0 / 0.
  ratio(part, whole):: '%s / (%s > 0)' % [part, whole],

  // The share of the samples of a histogram at or under a bound.
  share(histogram, bound, matchers=null)::
    $.ratio($.under(histogram, bound, matchers), $.rate(histogram + '_count', matchers=matchers)),
}
