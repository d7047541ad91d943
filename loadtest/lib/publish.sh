# The publishing load beside the reads, and the orders of the mix.

MIX_ORDERS=700

# Sets ORDERBOX and PUBLISH_RATE, publishes the orders of the mix, and waits until they can be read.
find_publisher() {
  local count=1 place
  # The comparison with nginx is of reads alone.
  [[ $RUNS != compare-nginx ]] || PUBLISH_RATE=0
  if [[ $PUBLISH_RATE == 0 ]]; then return; fi
  if [[ -z ${ORDERBOX:-} ]]; then
    for place in "${CARGO_TARGET_DIR:-$HERE/../target}/release/orderbox" "$(type -P orderbox || true)"; do
      [[ ! -x $place ]] || { ORDERBOX=$place; break; }
    done
  fi
  if [[ -z ${ORDERBOX:-} && -z $PUBLISH_RATE ]]; then
    echo "nothing is published beside the reads: there is no target/release/orderbox (cargo build --release; or ORDERBOX=…)"
    PUBLISH_RATE=0
    return
  fi
  [[ -x ${ORDERBOX:-} ]] || refuse "--publish needs the binary orderbox: cargo build --release, or ORDERBOX=…"
  PUBLISH_RATE=${PUBLISH_RATE:-200}

  [[ " $RUNS " != *' mix '* ]] || count=$MIX_ORDERS
  awk -v count="$count" '{
    for (n = 1; n <= count; n++) { order = $0; gsub(/ORDER_UID/, sprintf("loadtest-%04d", n), order); print order }
  }' "$HERE/order.json" >"$WORK/orders.ndjson"
  publish "$WORK/orders.ndjson" >"$WORK/publisher.log" 2>&1 || {
    cat "$WORK/publisher.log" >&2
    refuse "publishing failed: see above. A service on another host or in another container needs PUBLISH_TOKEN here" \
      "and there; \`--publish 0\` measures reads alone"
  }
  until_readable "$count"
}

publish() {
  "$ORDERBOX" publish --to "$PUBLISH_TO" "$@"
}

# An order is acknowledged before it can be read.
until_readable() {
  local end=$((SECONDS + 30))
  until fetch --output /dev/null --fail --fail-early "$TARGET/order?order_uid=loadtest-[0001-$(printf '%04d' "$1")]"; do
    ((SECONDS < end)) || refuse "what was published is not readable at $TARGET after 30 s: does the service read it?"
    sleep 0.1
  done
}

# Publishes until stop_publishing.
publish_beside() {
  PUBLISHER=''
  if ((PUBLISH_RATE == 0)); then return; fi
  # Made from a random seed, so that every order is a new one.
  "$ORDERBOX" publish --to "$PUBLISH_TO" --rate "$PUBLISH_RATE" --count 1000000000 >"$WORK/publisher.log" 2>&1 &
  PUBLISHER=$!
}

# Sets PUBLISHED, the number of orders that were acknowledged.
stop_publishing() {
  PUBLISHED=0
  if [[ -z $PUBLISHER ]]; then return; fi
  kill -INT "$PUBLISHER" 2>/dev/null || true
  # It says by its status that it did not send everything, which was not asked of it.
  wait "$PUBLISHER" || true
  PUBLISHED=$(sed -n 's/.*published \([0-9]*\) messages.*/\1/p' "$WORK/publisher.log")
  PUBLISHED=${PUBLISHED:-0}
  if ! grep -q interrupted "$WORK/publisher.log"; then
    FINDINGS=$((FINDINGS + 1))
    echo "publishing ended before the run did: $(tail -n 1 "$WORK/publisher.log")"
  fi
}

# The targets of all runs. vegeta takes them in turn, so their shares are the shares of the requests.
write_targets() {
  printf 'GET %s\n' "$ORDER_URL" >"$RESULTS/one-order.targets"
  [[ " $RUNS " == *' mix '* ]] || return 0
  awk -v target="$TARGET" -v order="$ORDER_URL" -v orders="$MIX_ORDERS" -v published="$PUBLISH_RATE" '
    function known() { n++; return published > 0 ? sprintf("%s/order?order_uid=loadtest-%04d", target, n) : order }
    function unknown() { return sprintf("%s/order?order_uid=no-such-order-%04d", target, ++m) }
    BEGIN {
      while (n < orders) for (i = 1; i <= 10; i++)
        print "GET " (i == 3 || i == 8 ? unknown() : i == 5 ? target "/" : known())
    }' >"$RESULTS/mix.targets"
}

# The answers of the mix that are not what the request should have got.
unexpected_in_mix() {
  "$VEGETA" encode -to csv "$WORK/mix.bin" |
    awk -F, '$2 != (/order_uid=no-such-order-/ ? 404 : 200) { n++ } END { print n + 0 }'
}

# split_mix SECONDS: the three kinds of requests in the mix, each with reports of its own.
split_mix() {
  "$VEGETA" encode -to csv "$WORK/mix.bin" | awk -v work="$WORK/mix-" '
    { kind = !/order_uid=/ ? "page" : /order_uid=no-such-order-/ ? "unknown" : "orders"; print >(work kind ".csv") }'
  part_of_mix orders 7 200 "$1"
  part_of_mix unknown 2 404 "$1"
  part_of_mix page 1 200 "$1"
}

# part_of_mix KIND TENTHS STATUS SECONDS: STATUS is the one that is right for this kind
part_of_mix() {
  local samples=$WORK/mix-$1.csv
  report "mix-$1" "$samples"
  add_row "mix-$1" $((MIX_RATE * $2 / 10)) "$4" "$(awk -F, -v right="$3" '$2 != right { n++ } END { print n + 0 }' "$samples")"
  rm "$samples"
}
