#!/usr/bin/env bash
# Publishes orders: `orderbox publish` with the arguments given, built first when the sources are newer. ORDERBOX names
# another binary.
#
#   loadtest/publish.sh --count 1000
#   loadtest/publish.sh --to stan://127.0.0.1:4222/test-cluster/orders --count 20000 --broken 0.02
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -z ${ORDERBOX:-} ]]; then
  cargo build --release --quiet --manifest-path "$root/Cargo.toml"
  ORDERBOX=${CARGO_TARGET_DIR:-$root/target}/release/orderbox
fi
exec "$ORDERBOX" publish "$@"
