#!/usr/bin/env bash
# Installs the programs that the tests and .ci/run start, as far as they are missing. It may be run any number of
# times, as root or by a user who has sudo. What could not be had is named at the end; with CI set that is a failure.
set -euo pipefail

NATS_STREAMING=github.com/nats-io/nats-streaming-server@v0.25.6

missing=()

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "install-test-servers: '$*' needs root, and sudo is not there" >&2
    return 1
  fi
}

# Whether a program is there, in the PATH or where Debian keeps what only root should start.
have() {
  local program=$1 place
  # `type -P`, for bash has some of them built in.
  type -P "$program" >/dev/null && return
  for place in /usr/sbin /usr/lib/postgresql/*/bin "$HOME/go/bin"; do
    [[ -x $place/$program ]] && return
  done
  return 1
}

# Debian ships the module without what makes an environment of it.
python_venv() {
  python3 -c 'import ensurepip' 2>/dev/null && return
  echo "installing python3-venv"
  apt_install python3-venv || true
  python3 -c 'import ensurepip' 2>/dev/null || missing+=("Python's venv (Debian package python3-venv)")
}

apt_ready=
apt_install() {
  command -v apt-get >/dev/null || return 1
  if [[ -z $apt_ready ]]; then
    as_root apt-get update -qq || return 1
    apt_ready=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" </dev/null >/dev/null
}

# from_apt PROGRAM PACKAGE
from_apt() {
  have "$1" && return
  echo "installing $2 for $1"
  apt_install "$2" || true
  have "$1" || missing+=("$1 (Debian package $2)")
}

# from_go PROGRAM MODULE@VERSION
from_go() {
  have "$1" && return
  echo "installing $2 for $1"
  local built
  built=$(mktemp -d)
  if GOBIN=$built go install "$2"; then
    mkdir -p "$HOME/go/bin"
    install -m 755 "$built/$1" "$HOME/go/bin/$1"
  fi
  rm -rf "$built"
  have "$1" || missing+=("$1 (Go module $2)")
}

from_apt cc gcc
from_apt postgres postgresql
from_apt chromium chromium
from_apt chromedriver chromium-driver
from_apt openssl openssl
from_apt kill procps
from_apt python3 python3
python_venv
from_apt go golang-go
from_go nats-streaming-server "$NATS_STREAMING"

if ((${#missing[@]})); then
  echo
  echo "install-test-servers: could not be had; the tests that need them are skipped:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  [[ -z ${CI:-} ]] || exit 1
fi
