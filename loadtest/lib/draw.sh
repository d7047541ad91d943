# The pictures, from the files of a folder of results.

GNUPLOT_INSTALL='sudo apt-get install gnuplot-nox'

need_gnuplot() {
  type -P gnuplot >/dev/null || refuse "gnuplot, which draws the pictures, is not installed. On Debian:" "  $GNUPLOT_INSTALL"
  compgen -G "$DRAW/*.hdr" >/dev/null || compgen -G "$DRAW/*/*.hdr" >/dev/null || refuse "$DRAW holds no results"
}

# draw DIR
draw() {
  local run runs=''
  if ! type -P gnuplot >/dev/null; then
    printf 'no pictures were drawn, for gnuplot is not installed. On Debian:\n  %s\nand then:\n  %s/run.sh --draw %q\n' \
      "$GNUPLOT_INSTALL" "$HERE" "$1"
    return
  fi
  for run in $ALL_RUNS; do
    [[ ! -s $1/$run.hdr || ! -s $1/$run.times.tsv ]] || runs+="$run "
  done
  (
    cd "$1"
    if [[ -n $runs ]]; then
      gnuplot -e "runs = '${runs% }'" "$HERE/latency-percentiles.gnuplot"
      gnuplot -e "runs = '${runs% }'" "$HERE/latency-over-time.gnuplot"
    fi
    if compgen -G 'compare-nginx/nginx-*.hdr' >/dev/null; then
      gnuplot "$HERE/latency-beside-nginx.gnuplot"
    fi
  ) || echo "gnuplot failed: see above. The figures are complete without it."
}
