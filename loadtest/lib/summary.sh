# A row for every run, on the terminal and in summary.md.

# What the README of the predecessor says of a run.
predecessor() {
  case $1 in
    5) echo 'p50 1.43, p99 23' ;;
    10000) echo 'p50 5.0, p95 28.5, p99 47.0, 100 %' ;;
    100000) echo '36,962 answers, 5.32 % success' ;;
    10000-short) echo 'p50 2.7, p99 22.2' ;;
    10 | 1000) echo 'not published' ;;
    *) echo '' ;;
  esac
}

# add_row NAME RATE SECONDS UNEXPECTED: from vegeta's JSON. Of a mix the answers that were not expected count as errors,
# for to vegeta each 404 is one; elsewhere vegeta's own error set does.
add_row() {
  local errors success label
  errors=$(sed -n 's/.*"errors":\[\(.*\)\].*/\1/p' "$RESULTS/$1.json")
  case $1 in
    mix*)
      success=$(awk "BEGIN { print 1 - $4 / $(figure "$1" requests) }")
      errors=''
      if [[ $4 != 0 ]]; then errors="$4 answers with another status than is right"; fi
      ;;
    *) success=$(figure "$1" success) ;;
  esac
  case $1 in
    mix) label="mix for $3 s" ;;
    mix-orders) label="– its orders" ;;
    mix-unknown) label="– its orders that do not exist" ;;
    mix-page) label="– its page" ;;
    *) label="one order at ${1%-short}/s for $3 s" ;;
  esac
  if [[ -n $errors || $success != 1 ]]; then FINDINGS=$((FINDINGS + 1)); fi
  awk -v name="$1" -v label="$label" -v asked="$2" -v reached="$(reached "$1" "$3")" -v success="$success" \
    -v p50="$(figure "$1" 50th)" -v p95="$(figure "$1" 95th)" -v p99="$(figure "$1" 99th)" -v max="$(figure "$1" max)" \
    -v errors="${errors:-none}" -v published="$PUBLISHED" -v predecessor="$(predecessor "$1")" -v rows="$WORK/rows" '
    function grouped(n,  text, out) {
      text = sprintf("%d", n)
      for (; length(text) > 3; text = substr(text, 1, length(text) - 3)) out = "," substr(text, length(text) - 2) out
      return text out
    }
    function ms(ns) { ns /= 1e6; return sprintf(ns < 1 ? "%.3f" : ns < 10 ? "%.2f" : "%.1f", ns) }
    # Rounded down, so that 100 says that not one was missing.
    function percent(share) { return share == 1 ? "100 %" : sprintf("%.3f %%", int(share * 1e5) / 1e3) }
    BEGIN {
      part = name ~ /^mix-/
      gsub(/\|/, "\\|", errors)
      printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", label, grouped(asked),
        grouped(reached + 0.5), percent(success), ms(p50), ms(p95), ms(p99), ms(max), errors,
        part ? "" : grouped(published), predecessor >>rows
      if (part) printf "%-12s %7s/s             ", name, asked
      printf "reached %7s/s  %7s  p50 %s  p99 %s  max %s ms  errors: %s\n",
        grouped(reached + 0.5), percent(success), ms(p50), ms(p99), ms(max), errors
    }'
}

# reached NAME SECONDS: requests a second. The rate that vegeta gives ends at the last request, so it makes six of five.
reached() {
  awk -v requests="$(figure "$1" requests)" -v sent="$(figure "$1" duration)" -v seconds="$2" '
    BEGIN { sent /= 1e9; print requests / (sent > seconds ? sent : seconds) }'
}

# The size of this machine in words, without its name.
machine() {
  local cores cpu memory kernel
  cores=$(getconf _NPROCESSORS_ONLN)
  cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1) || true
  memory=$(awk '/^MemTotal:/ { printf "%.0f GiB of memory", $2 / 1048576 }' /proc/meminfo 2>/dev/null) || true
  kernel=$(uname -r)
  printf '%s cores (%s), %s, %s %s' "$cores" "${cpu:-$(uname -m)}" "${memory:-memory unknown}" "$(uname -s)" "${kernel%%-*}"
}

versions() {
  local vegeta
  # `go install` leaves the version where only this finds it; -version prints an empty one.
  vegeta=$(grep -ao 'tsenart/vegeta/v12[[:space:]]v[0-9.]*' "$VEGETA" | head -n 1 | grep -o '[0-9.]*$') || true
  printf 'orderbox %s, vegeta %s' "${VERSION:-(version unknown)}" "${vegeta:-(version unknown)}"
  if [[ -n ${NGINX_PORT:-} ]]; then printf ', nginx %s' "$("$NGINX" -v 2>&1 | sed 's|.*nginx/||')"; fi
}

# The whole summary.md.
write_summary() {
  local published="nothing was published beside the reads"
  if ((PUBLISH_RATE)); then published="$PUBLISH_RATE orders a second were published beside the reads"; fi
  printf '# Load test of %s\n\n' "$STARTED"
  ((DONE)) || printf '**Cut short: what was measured until then.**\n\n'
  printf 'Generator: %s; load average %s before the start. %s. ' "$(machine)" "$BUSY" "$(versions)"
  case ${TARGET#*://} in
    127.* | localhost* | '[::1]'*) printf 'The service ran on the same machine and shared its cores with the generator. ' ;;
    *) printf 'The service was at %s. ' "$TARGET" ;;
  esac
  printf 'At most %s requests on their way, on as many kept connections; %s.\n' "$WORKERS" "$published"
  if [[ -s $WORK/rows ]]; then
    printf '\n| run | asked/s | reached/s | success | p50 ms | p95 ms | p99 ms | max ms | errors | published beside | %s |\n' \
      'wb-web, on another machine'
    printf '|---|--:|--:|--:|--:|--:|--:|--:|---|--:|---|\n'
    cat "$WORK/rows"
    cat <<'END'

wb-web is the Go predecessor. Its figures are those it published, in ms; **they were taken on another machine**, of unknown size,
so they show what was there before and not by how much this is faster. Where a rate was not reached, generator and service
together had no more to give: the generator sends no faster than answers come, and nothing was refused.

![latency by percentile](latency-percentiles.svg)
![latency over time](latency-over-time.svg)
END
  fi
  if [[ -s $WORK/pairs ]]; then
    printf '\n## Beside nginx\n\nThe same order at 10,000 a second for %s s each, in turns of %s s, from orderbox and from a file in an nginx of one worker ' "$DURATION" "$TURN"
    printf 'with its file cache on; nothing was published meanwhile.\n\n'
    printf '| pair | orderbox p50 ms | nginx p50 ms | orderbox p99 ms | nginx p99 ms | ratio of p99 |\n|--:|--:|--:|--:|--:|--:|\n'
    awk '{ printf "| %d | %.3f | %.3f | %.3f | %.3f | %.2f |\n", $1, $2/1e6, $4/1e6, $3/1e6, $5/1e6, $3/$5 }' "$WORK/pairs"
    printf '\nMedian of the ratios of p99: **%s**.\n\n![latency beside nginx](latency-beside-nginx.svg)\n' "$(median_ratio)"
  fi
}
