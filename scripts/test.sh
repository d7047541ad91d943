#!/usr/bin/env bash
# Runs the tests and ends with their totals over all binaries: `N passed, N failed, N skipped`.
# Arguments go to the test binaries, as in `scripts/test.sh --include-ignored` or `scripts/test.sh stan::`.
#
# A test that lacks an external program says SKIPPED on its standard error. The test runner hides what a passing test
# writes, so it is asked to show it, and the sections it shows it in are kept out of sight again but for those lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
cargo test --locked --no-fail-fast -- --show-output "$@" 2>&1 | tee "$log" | awk '
  /^successes:$/               { hidden = 1 }
  /^(failures:|test result:)/  { hidden = 0 }
  !hidden                      { print; fflush() }
' || status=$?

skipped=$(grep -o 'SKIPPED: .*' "$log" | sort | uniq -c || true)
if [[ -n $skipped ]]; then
  printf '\nskipped for want of something:\n%s\n' "$skipped"
fi

awk -v status="$status" '
  /^test result:/ { runs++; for (i = 2; i <= NF; i++) {
    if ($i ~ /^passed/) passed += $(i - 1)
    if ($i ~ /^failed/) failed += $(i - 1)
    if ($i ~ /^ignored/) ignored += $(i - 1)
  } }
  # A test that skips itself, for one reason or several, counts as passed for the runner and as skipped here.
  /^---- .* ----$/ { counted = 0 }
  /SKIPPED: / && !counted { lacking++; counted = 1 }
  END {
    if (!runs)                { print "\nno test ran"; exit 1 }
    if (ignored)              printf "\n%d long tests were left out: make test-all runs them\n", ignored
    if (status && !failed)    print "\ncargo test failed without a failed test: see above"
    printf "\n%d passed, %d failed, %d skipped\n", passed - lacking, failed, ignored + lacking
    if (passed + failed == 0) exit 1
    exit status
  }
' "$log"
