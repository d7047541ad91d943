#!/usr/bin/env bash
# Writes what docker-compose.yml wants to be told into .env, or into the file given: random tokens and passwords, and who
# runs the load test. What has a value there already stays as it is, so it may be run any number of times, and after an upgrade.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
file=${1:-.env}

[[ ! -e $file || -f $file ]] || {
  echo "env.sh: $file is no file" >&2
  exit 1
}

# Only its owner may read it.
umask 077
touch "$file"
chmod 600 "$file"

# A last line that nobody ended would become one with the first that is added.
[[ -z $(tail -c 1 "$file") ]] || echo >>"$file"

# set_once NAME VALUE; a name with nothing behind it is not set, for Docker Compose neither
set_once() {
  local empty="^$1=[[:space:]\"']*\$"
  if grep -q "$empty" "$file"; then
    sed -i "s/$empty/$1=$2/" "$file"
    echo "$1 was empty and has a value now"
  elif grep -q "^$1=" "$file"; then
    echo "$1 stays as it is"
  else
    echo "$1=$2" >>"$file"
    echo "$1 was added"
  fi
}

# 256 bits in hexadecimal: nothing in it has a meaning in a URL, a header or a shell.
random() {
  od -An -N32 -v -tx1 /dev/urandom | tr -d ' \n'
}

set_once ADMIN_TOKEN "$(random)"
set_once PUBLISH_TOKEN "$(random)"
set_once POSTGRES_PASSWORD "$(random)"
set_once GRAFANA_ADMIN_PASSWORD "$(random)"
# The results of a load test belong to whoever checked this out.
set_once LOADTEST_USER "$(id -u):$(id -g)"
