# Latency over time, a panel a run, from the .times.tsv files in the current folder: each a hundredth of the run a line.
# Called with `runs`, the names of the files without .times.tsv.
rows = (words(runs) + 1) / 2
set terminal svg size 900,60+210*rows font "sans-serif,13" background "#ffffff"
set output "latency-over-time.svg"

title_of(run) = run eq "mix" ? "mix, 2,000/s" : run eq "10000-short" ? "10,000/s for 1 s" : \
  run eq "100000" ? "100,000/s" : run eq "10000" ? "10,000/s" : run eq "1000" ? "1,000/s" : run."/s"

# One scale for all, so that the panels can be compared.
low = 1e9
high = 0
do for [run in runs] {
  stats run.".times.tsv" using 3 nooutput
  if (STATS_min < low) { low = STATS_min }
  stats run.".times.tsv" using 5 nooutput
  if (STATS_max > high) { high = STATS_max }
}

set logscale y
# Room for the key above the first.
set yrange [low / 1.5:high * 6]
set format y "%g ms"
set xlabel "seconds" offset 0,0.6
set grid ytics lt 1 lc rgb "#dddddd"
set border 3 lc rgb "#404040"
set tics nomirror
set key top left horizontal Left reverse samplen 2

set multiplot layout rows,2 title "Latency over time" font ",16"
do for [run in runs] {
  file = run.".times.tsv"
  set title title_of(run) offset 0,-0.5
  plot file using 1:5 with points pt 7 ps 0.35 lc rgb "#e69f00" title "max", \
    file using 1:4 with lines lw 1.5 lc rgb "#d55e00" title "p99", \
    file using 1:3 with lines lw 1.5 lc rgb "#0072b2" title "p50"
  # The first panel says it for all.
  unset key
}
unset multiplot
