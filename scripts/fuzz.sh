#!/usr/bin/env bash
# Tries what orderbox promises of any input (src/fuzzing.rs) with inputs that libFuzzer makes, and prints how many each target
# took. `scripts/fuzz.sh SECONDS` gives each target so long; `scripts/fuzz.sh --inputs N` shares N inputs among them.
# An input that breaks a promise ends the run: its file is named, and belongs into fuzz/corpus with the fix.
#
# Without a sanitizer, which would need a nightly toolchain: this crate forbids unsafe code, and a broken promise is a panic.
# The corpus is what people wrote. What a run finds beside it stays in target/fuzz, and so does nothing for the next machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CARGO_FUZZ=0.13.2
# A target's share of the inputs, in percent: a date is had for a twentieth of what a message costs, and has less to hide.
declare -A SHARE=([validate]=40 [date]=20 [stan]=20 [query]=20)
# The longest input in bytes. Longer ones find nothing new and are tried by src/order/tests/hostile.rs.
declare -A LENGTH=([validate]=512 [date]=64 [stan]=256 [query]=512)
TARGETS=(validate date stan query)

usage() {
  echo "usage: scripts/fuzz.sh [SECONDS | --inputs N]" >&2
  exit 2
}

seconds=10 inputs=
case $# in
  0) ;;
  1) seconds=$1 ;;
  2) [[ $1 == --inputs ]] || usage; inputs=$2 ;;
  *) usage ;;
esac
[[ ${inputs:-$seconds} =~ ^[1-9][0-9]*$ ]] || usage

tools=$PWD/target/test-tools/cargo
export PATH=$tools/bin:$PATH
if [[ $(cargo-fuzz --version 2>/dev/null) != "cargo-fuzz $CARGO_FUZZ" ]]; then
  echo "installing cargo-fuzz $CARGO_FUZZ"
  CARGO_TARGET_DIR=target/test-tools/build cargo install --quiet --locked --root "$tools" "cargo-fuzz@$CARGO_FUZZ"
  rm -rf target/test-tools/build
fi

export CARGO_TARGET_DIR=$PWD/target/fuzz
cargo fuzz build --sanitizer none
built=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release

# What others sent is tried too where it lies beside the checkout; it is never copied into the corpus.
wild=()
[[ -d ../shared/wild ]] && wild=("$PWD/../shared/wild")

total=0
for target in "${TARGETS[@]}"; do
  found=$CARGO_TARGET_DIR/found/$target
  mkdir -p "$found" fuzz/artifacts
  more=()
  [[ $target == validate ]] && more=(-dict=fuzz/validate.dict "${wild[@]}")
  if [[ -n $inputs ]]; then
    until=-runs=$((inputs * SHARE[$target] / 100))
  else
    until=-max_total_time=$seconds
  fi
  log=$CARGO_TARGET_DIR/$target.log
  if ! "$built/$target" "$until" -max_len="${LENGTH[$target]}" -print_final_stats=1 \
    -artifact_prefix="fuzz/artifacts/$target-" "$found" "fuzz/corpus/$target" "${more[@]}" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "fuzz: $target breaks a promise; its input is the file above" >&2
    exit 1
  fi
  read -r tried took < <(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 \2/p' "$log")
  printf '%-10s %11d inputs %6d s %9d /s\n' "$target" "$tried" "$took" $((tried / (took > 0 ? took : 1)))
  total=$((total + tried))
done
printf '%-10s %11d inputs, no promise broken\n' all "$total"
