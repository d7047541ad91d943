# One run: the load, and what vegeta reports of it.

# attack NAME RATE SECONDS TARGETS: leaves the samples in $WORK/NAME.bin
#
# The bounds are what makes the figures those of the service. Without them vegeta starts a worker for every request that
# does not get its answer in time, and each opens a socket, until there are no more files or ports: at 100,000/s on two
# cores it then reported 22 % success, and its own sockets as failures of the service. As many connections as workers, all
# kept, never run out. The price: what the service and vegeta together cannot do is not sent, so a rate beyond that is not
# reached. The summary says which rate was.
#
# Bodies are read to their end but not kept, and the garbage collector runs once in 512 MiB: both are work of vegeta's
# on the same cores, and show as latency of the service. A redirect would lead away from the target, and is an error.
attack() {
  local load tick
  GOGC=off GOMEMLIMIT=512MiB "$VEGETA" attack -rate "$2" -duration "${3}s" -targets "$4" \
    -workers "$WORKERS" -max-workers "$WORKERS" -connections "$WORKERS" -max-connections "$WORKERS" -keepalive \
    -max-body 0 -redirects 0 -timeout 30s -output "$WORK/$1.bin" &
  load=$!
  # In the background, for bash hears a signal only between commands and while it waits; and never long at a time, for one
  # that comes as the wait begins is heard when it ends.
  while kill -0 "$load" 2>/dev/null; do
    sleep 1 &
    tick=$!
    wait -n "$load" "$tick" || true
    kill "$tick" 2>/dev/null || true
  done
  wait "$load"
}

# report NAME SAMPLES…: vegeta's three reports of these files
report() {
  local name=$1
  shift
  "$VEGETA" report -type text -output "$RESULTS/$name.txt" "$@"
  "$VEGETA" report -type json -output "$RESULTS/$name.json" "$@"
  "$VEGETA" report -type hdrplot -output "$RESULTS/$name.hdr" "$@"
}

# times NAME SECONDS: a hundredth of the run a line, for the picture
times() {
  {
    printf '# second\tanswers\tp50_ms\tp99_ms\tmax_ms\n'
    "$VEGETA" encode -to csv "$WORK/$1.bin" |
      awk -F, -v width="$(awk "BEGIN { print $2 * 1e7 }")" '
        NR == 1 { first = $1 }
        { slot = int(($1 - first) / width); print (slot < 0 ? 0 : slot > 99 ? 99 : slot), $3 }' |
      sort -n -k1,1 -k2,2 |
      awk -v width="$(awk "BEGIN { print $2 / 100 }")" '
        function at(share,  i) { i = int(n * share + 0.999999); return latency[i < 1 ? 1 : i] / 1e6 }
        function flush() {
          if (n) printf "%.3f\t%d\t%.4f\t%.4f\t%.4f\n", (slot + 0.5) * width, n, at(0.5), at(0.99), at(1)
          n = 0
        }
        $1 != slot { flush(); slot = $1 }
        { latency[++n] = $2 }
        END { flush() }'
  } >"$RESULTS/$1.times.tsv"
}

# figure NAME KEY: a number of vegeta's JSON, which is one line
figure() {
  sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "$RESULTS/$1.json"
}

# measure NAME RATE SECONDS TARGETS: a run from load to row
measure() {
  local wrong=0
  printf '%-12s %7s/s for %2s s  ' "$1" "$2" "$3"
  publish_beside
  attack "$1" "$2" "$3" "$4"
  stop_publishing
  report "$1" "$WORK/$1.bin"
  times "$1" "$3"
  [[ $1 != mix ]] || wrong=$(unexpected_in_mix)
  add_row "$1" "$2" "$3" "$wrong"
  [[ $1 != mix ]] || split_mix "$3"
  rm -f "$WORK/$1.bin"
}
