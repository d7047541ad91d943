# The programs that are used, and the service that is measured.

VEGETA_MODULE=github.com/tsenart/vegeta/v12@v12.13.0

# Sets VEGETA, or says how to get what is missing.
need_tools() {
  local name
  VEGETA=${VEGETA:-$(type -P vegeta || true)}
  VEGETA=${VEGETA:-${HOME:-}/go/bin/vegeta}
  [[ -x $VEGETA ]] ||
    refuse "vegeta, which makes the load, is not installed. With Go:" "  go install $VEGETA_MODULE"
  for name in awk curl date mktemp sort sed; do
    type -P "$name" >/dev/null || refuse "$name is not installed"
  done
  [[ " $RUNS " != *' compare-nginx '* ]] || need_nginx
}

# curl that follows no setting of the machine: the address that was given is the one that is asked.
fetch() {
  curl -q --silent --noproxy '*' --max-time 10 "$@"
}

# A uid as it stands in a URL.
url_encoded() {
  local i char
  for ((i = 0; i < ${#1}; i++)); do
    char=${1:i:1}
    case $char in
      [A-Za-z0-9._~-]) printf '%s' "$char" ;;
      # A byte above 127 is a negative number to printf.
      *) printf '%%%02X' $(($(printf '%d' "'$char") & 255)) ;;
    esac
  done
}

# Sets ORDER_URL and VERSION, or says what is wrong with the service.
find_service() {
  local status
  # A proxy of the environment would be measured instead, and would be another address than the one given.
  unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
  ORDER_URL="$TARGET/order?order_uid=$(url_encoded "$ORDER_UID")"
  status=$(fetch --output "$WORK/order" --write-out '%{http_code}' "$ORDER_URL") || true
  case $status in
    200) ;;
    000) refuse "nobody answers at $TARGET (tried GET $ORDER_URL)" \
      "start the service (cargo run --release), or name its address: --target http://HOST:PORT" ;;
    404) refuse "$TARGET has no order $ORDER_UID" \
      "an empty store gets the sample order unless SAMPLE_ORDER=false; or name another order: --uid UID" ;;
    *) refuse "GET $ORDER_URL answers $status where 200 was expected" ;;
  esac
  VERSION=$(fetch "$TARGET/metrics" | sed -n 's/^orderbox_build_info{.*version="\([^"]*\)".*/\1/p') || true
}

# Whether the service still answers.
answers() {
  fetch --fail --output /dev/null "$ORDER_URL"
}

# Makes the folder of this run and prints its name.
new_folder() {
  local first folder n=1
  # In a substitution `set -e` does not hold.
  if ! { mkdir -p -- "$RESULTS_IN" && first=$(cd -- "$RESULTS_IN" && pwd); }; then
    refuse "the results can't be put into $RESULTS_IN: name another folder with --results"
  fi
  first+=/$(date +%Y-%m-%dT%H%M%SZ)
  folder=$first
  # Another run may have begun within the same second.
  until mkdir "$folder" 2>/dev/null; do
    ((++n < 100)) || refuse "no folder can be made in $RESULTS_IN"
    folder=$first-$n
  done
  printf '%s' "$folder"
}
