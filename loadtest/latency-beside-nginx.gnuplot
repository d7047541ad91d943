# Latency by percentile of orderbox and of nginx at 10,000/s, a line for each of their runs.
set terminal svg size 900,520 font "sans-serif,14" background "#ffffff"
set output "latency-beside-nginx.svg"

set title "Latency at 10,000/s, five runs of each, in turns"
set logscale x
set logscale y
set xrange [1:1e5]
set xtics ("50 %%" 2, "90 %%" 10, "99 %%" 100, "99.9 %%" 1e3, "99.99 %%" 1e4, "99.999 %%" 1e5)
set format y "%g ms"
set xlabel "share of the requests that were answered within"
set grid xtics ytics lt 1 lc rgb "#dddddd"
set border 3 lc rgb "#404040"
set tics nomirror
set key left top Left reverse samplen 2

files(server) = system("ls compare-nginx/".server."-*.hdr")
nginx = files("nginx")
orderbox = files("orderbox")
plot for [i = 1:words(nginx)] word(nginx, i) every ::1 using 4:1 \
    with lines lw 1.5 lc rgb "#d55e00" title (i == 1 ? "nginx, a static file" : ""), \
  for [i = 1:words(orderbox)] word(orderbox, i) every ::1 using 4:1 \
    with lines lw 1.5 lc rgb "#0072b2" title (i == 1 ? "orderbox" : "")
