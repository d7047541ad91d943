# The command line.

ALL_RUNS='5 10 1000 10000 100000 10000-short mix'
SAMPLE_UID=b563feb7b2b84b6test
MIX_RATE=2000

# Ends with status 2: it could not begin.
refuse() {
  printf 'run.sh: %s\n' "$@" >&2
  exit 2
}

# Sets what the functions read: TARGET, ORDER_UID, RUNS, DURATION, PUBLISH_RATE, PUBLISH_TO, WORKERS, RESULTS_IN, DRAW.
read_options() {
  TARGET=http://127.0.0.1:8080
  ORDER_UID=$SAMPLE_UID
  RUNS=$ALL_RUNS
  DURATION=10
  PUBLISH_RATE=''
  PUBLISH_TO=''
  WORKERS=64
  RESULTS_IN=$HERE/results
  DRAW=''
  local compare=''
  while (($#)); do
    [[ $1 != --*=* ]] || set -- "${1%%=*}" "${1#*=}" "${@:2}"
    case $1 in
      --help | -h) print_help; exit ;;
      --compare-nginx) compare=yes; shift; continue ;;
      --target | --uid | --only | --duration | --publish | --publish-to | --workers | --results | --draw) ;;
      *) refuse "unknown argument '$1'; --help lists what there is" ;;
    esac
    [[ $# -ge 2 && -n $2 && $2 != --* ]] || refuse "$1 needs a value; --help says which"
    case $1 in
      --target) TARGET=${2%/} ;;
      --uid) ORDER_UID=$2 ;;
      --only) RUNS=${2//,/ } ;;
      --duration) DURATION=${2%s} ;;
      --publish) PUBLISH_RATE=$2 ;;
      --publish-to) PUBLISH_TO=$2 ;;
      --workers) WORKERS=$2 ;;
      --results) RESULTS_IN=$2 ;;
      --draw) DRAW=${2%/} ;;
    esac
    shift 2
  done
  PUBLISH_TO=${PUBLISH_TO:-$TARGET}
  [[ -z $compare || " $RUNS " == *' compare-nginx '* ]] || RUNS+=' compare-nginx'
  check_options
}

check_options() {
  local run
  [[ $TARGET =~ ^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$ ]] || refuse "--target $TARGET is no http://HOST:PORT"
  [[ $PUBLISH_TO =~ ^(https?|stan)://[^[:space:]]+$ ]] ||
    refuse "--publish-to is no http://HOST:PORT and no stan://HOST:4222/CLUSTER/CHANNEL"
  [[ $RUNS =~ ^[0-9a-z\ -]*[0-9a-z][0-9a-z\ -]*$ ]] || refuse "--only names no run; there are: $ALL_RUNS compare-nginx"
  for run in $RUNS; do
    [[ " ${RUNS// /  } " != *" $run "*" $run "* ]] || refuse "--only names $run twice"
    [[ " $ALL_RUNS compare-nginx " == *" $run "* ]] ||
      refuse "--only: there is no run '$run'; there are: $ALL_RUNS compare-nginx"
  done
  [[ $DURATION =~ ^[1-9][0-9]{0,4}$ ]] || refuse "--duration $DURATION is no number of seconds"
  [[ $WORKERS =~ ^[1-9][0-9]{0,4}$ ]] || refuse "--workers $WORKERS is no number from 1 to 99999"
  [[ $PUBLISH_RATE =~ ^(|0|[1-9][0-9]{0,5})$ ]] || refuse "--publish $PUBLISH_RATE is no number of orders a second"
}
