#!/usr/bin/env bash
# Load tests of a running orderbox. `run.sh --help` explains; each file in lib/ does one thing, and this one the order.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
export LC_ALL=C TZ=UTC

HERE=${BASH_SOURCE[0]%/*}
[[ $HERE != "${BASH_SOURCE[0]}" ]] || HERE=.
HERE=$(cd "$HERE" && pwd)

source "$HERE/lib/help.sh"
source "$HERE/lib/options.sh"
source "$HERE/lib/tools.sh"
source "$HERE/lib/attack.sh"
source "$HERE/lib/publish.sh"
source "$HERE/lib/compare.sh"
source "$HERE/lib/summary.sh"
source "$HERE/lib/draw.sh"

# What is still running, and the summary of what was measured: also after Ctrl-C, and after a failure on the way.
finish() {
  local status=$? children
  trap '' INT TERM
  trap - EXIT
  children=$(jobs -p)
  if [[ -n $children ]]; then
    # shellcheck disable=SC2086 # one word a process
    kill $children 2>/dev/null || true
    wait
  fi
  if [[ -s $WORK/rows || -s $WORK/pairs ]]; then
    ((DONE)) || echo "cut short: what was measured until then is kept"
    write_summary >"$RESULTS/summary.md"
    draw "$RESULTS"
    echo "results: $RESULTS/summary.md"
  elif [[ -n $RESULTS ]]; then
    # Nothing but targets.
    rm -rf "$RESULTS"
  fi
  rm -rf "$WORK"
  exit "$status"
}

read_options "$@"

if [[ -n $DRAW ]]; then
  need_gnuplot
  draw "$DRAW"
  exit
fi

need_tools
RESULTS='' FINDINGS=0 DONE=0
WORK=$(cd "$(mktemp -d)" && pwd)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

find_service
find_publisher
RESULTS=$(new_folder)
STARTED=$(date '+%Y-%m-%d %H:%M:%S UTC')
# What else the machine did: it is in every figure that follows.
BUSY=$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null) || BUSY=unknown
write_targets

previous=
for run in $RUNS; do
  # Before the first it has just answered.
  if [[ -n $previous ]] && ! answers; then
    echo "the service does not answer any more: $run and what was to follow is left out"
    exit 1
  fi
  case $run in
    compare-nginx) compare_nginx ;;
    mix) measure mix "$MIX_RATE" "$DURATION" "$RESULTS/mix.targets" ;;
    10000-short) measure 10000-short 10000 1 "$RESULTS/one-order.targets" ;;
    *) measure "$run" "$run" "$DURATION" "$RESULTS/one-order.targets" ;;
  esac
  previous=$run
done
DONE=1
((FINDINGS == 0))
