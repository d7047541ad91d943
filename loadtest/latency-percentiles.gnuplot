# Latency by percentile, a line a run, from vegeta's HDR files in the current folder.
# Called with `runs`, the names of the files without .hdr.
set terminal svg size 1000,520 font "sans-serif,14" background "#ffffff"
set output "latency-percentiles.svg"

# Okabe and Ito's colours, told apart by everyone and on white.
array colour[7] = ["#0072b2", "#56b4e9", "#009e73", "#d55e00", "#000000", "#e69f00", "#cc79a7"]
title_of(run) = run eq "mix" ? "mix, 2,000/s" : run eq "10000-short" ? "10,000/s for 1 s" : \
  run eq "100000" ? "100,000/s" : run eq "10000" ? "10,000/s" : run eq "1000" ? "1,000/s" : run."/s"

set title "Latency by percentile"
set logscale x
set logscale y
# The last line of a file is the maximum, at an infinite x.
set xrange [1:1e5]
set xtics ("50 %%" 2, "90 %%" 10, "99 %%" 100, "99.9 %%" 1e3, "99.99 %%" 1e4, "99.999 %%" 1e5)
set format y "%g ms"
set xlabel "share of the requests that were answered within"
set grid xtics ytics lt 1 lc rgb "#dddddd"
set border 3 lc rgb "#404040"
set tics nomirror
set key outside right top Left reverse samplen 2

# Of a hundred requests there is no 99.9th percentile: a line ends where its requests do.
array requests[words(runs)]
do for [i = 1:words(runs)] {
  stats word(runs, i).".hdr" every ::1 using 3 nooutput
  requests[i] = STATS_max
}

plot for [i = 1:words(runs)] word(runs, i).".hdr" every ::1 using ($4 <= requests[i] ? $4 : NaN):1 \
  with lines lw 2 lc rgb colour[i] title title_of(word(runs, i))
