#!/usr/bin/env bash
# What the metric calls of the hot read path cost: CPU time a request of benches/bare_axum.rs with and without them.
#
#   benches/instrumentation.sh [PAIRS [SECONDS]]     9 pairs of 2 x 6 s unless given
#
# Both servers run all the time; a pair loads them in turn, a second each, so that what changes on the machine hits both.
# The servers have core 0, wrk has core 1, with 64 connections. CPU time is the server's own, user and system, from
# /proc/PID/stat, divided by the requests that wrk counts. Exits 1 when the median is 3 % or more.
# Needs wrk and two cores that nothing else uses. BARE_AXUM names another binary; it is built otherwise.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pairs=${1:-9}
seconds=${2:-6}
limit=3
host=127.0.0.1

if [[ ${1:-} == -* ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit
fi
command -v wrk >/dev/null || {
  echo "wrk is missing: apt-get install wrk" >&2
  exit 2
}
if [[ -z ${BARE_AXUM:-} ]]; then
  cargo build --release --quiet --example bare_axum --manifest-path "$root/Cargo.toml"
  BARE_AXUM=${CARGO_TARGET_DIR:-$root/target}/release/examples/bare_axum
fi

declare -A port=([without]=${PORT:-8090} [with]=$((${PORT:-8090} + 1))) server=() requests=() ticks=()
trap 'kill "${server[@]}" 2>/dev/null || true; wait' EXIT

start() {
  taskset -c 0 "$BARE_AXUM" "$host:${port[$1]}" "$1" &
  server[$1]=$!
  for _ in {1..100}; do
    if (exec 3<>"/dev/tcp/$host/${port[$1]}") 2>/dev/null; then return; fi
    sleep 0.05
  done
  echo "the server $1 metric calls does not listen on port ${port[$1]}" >&2
  exit 2
}

# User and system time of a server so far, in clock ticks. The second field may hold spaces, so count from the bracket.
ticks_of() {
  sed 's/.*) //' "/proc/${server[$1]}/stat" | awk '{ print $12 + $13 }'
}

# A second of load on one of the servers, added to its requests.
load() {
  local report count
  report=$(taskset -c 1 wrk -t1 -c64 -d1s "http://$host:${port[$1]}/order?order_uid=b563feb7b2b84b6test")
  count=$(awk '/ requests in / { n = $1 } /Socket errors|Non-2xx/ { exit 1 } END { print n }' <<<"$report") || {
    printf 'not every request was answered:\n%s\n' "$report" >&2
    exit 2
  }
  requests[$1]=$((${requests[$1]:-0} + count))
}

# Microseconds of CPU a request since the pair began.
cost() {
  awk -v ticks="$(($(ticks_of "$1") - ${ticks[$1]}))" -v hertz="$(getconf CLK_TCK)" -v requests="${requests[$1]}" \
    'BEGIN { printf "%.3f", ticks / hertz * 1e6 / requests }'
}

start without
start with
load without
load with

differences=()
printf 'pair   without      with   more\n'
for ((pair = 1; pair <= pairs; pair++)); do
  for which in without with; do
    requests[$which]=0
    ticks[$which]=$(ticks_of "$which")
  done
  for ((second = 0; second < seconds; second++)); do
    load without
    load with
  done
  without=$(cost without)
  with=$(cost with)
  difference=$(awk -v a="$without" -v b="$with" 'BEGIN { printf "%.2f", (b / a - 1) * 100 }')
  differences+=("$difference")
  printf '%4d  %5.2f µs  %5.2f µs  %+5.2f %%\n' "$pair" "$without" "$with" "$difference"
done

printf '%s\n' "${differences[@]}" | sort -n | awk -v limit="$limit" '
  { value[NR] = $1 }
  END {
    median = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
    printf "median %+.2f %% of %d pairs, from %+.2f %% to %+.2f %%; the limit is %g %%\n", median, NR, value[1], value[NR], limit
    exit median >= limit
  }'
