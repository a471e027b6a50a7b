#!/usr/bin/env bash
# Sets up EBMTrack in ./.venv and, on request, runs it. Needs bash, git and Python 3.11 to 3.13; no sudo, no prompt.
#
#   bash install.sh          set up what is missing
#   bash install.sh demo     set up what is missing, then track a real clip and fine-tune, a few minutes on a CPU
#   bash install.sh test     set up what is missing, then lint, type check and run every test
#
# Options after `demo` and `test` go to the demo and to pytest. Safe to repeat: a second call installs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly VENV=.venv
readonly UV_VERSION=0.13.8
# The clone goes onto Python's path as a folder: setuptools' other way, a finder, loses against any folder named
# ebm, ltr or pytracking that lies beside the user's script, even one without a line of Python.
readonly EDITABLE=(--config-settings editable_mode=compat)
readonly NEEDED_GB=8 # torch with its CUDA libraries takes 5.5 GB, the rest is room to unpack

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && supported "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  fail "Python 3.11, 3.12 or 3.13 is needed and none was found (python3 is $(python3 --version 2>&1 || echo absent)); install one, or name it: PYTHON=/path/to/python3.11 bash install.sh"
}

check_disk() {
  local free_kb
  free_kb=$(df -Pk . | awk 'NR == 2 { print $4 }')
  if [ "$free_kb" -lt $((NEEDED_GB * 1024 * 1024)) ]; then
    fail "the environment needs about $NEEDED_GB GB and only $((free_kb / 1024 / 1024)) GB are free in $PWD; free some space, or clone onto a larger disk"
  fi
}

# Runs a long command with its output in a log and a sign of life every ten seconds.
quietly() {
  local log=$1 start=$SECONDS pid
  shift
  "$@" >>"$log" 2>&1 &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    if [ $(((SECONDS - start) % 10)) -eq 9 ]; then
      say "  ... $((SECONDS - start + 1)) s"
      sleep 1
    fi
  done
  trap - INT TERM
  wait "$pid"
}

explain_failure() {
  local log=$1
  if grep -qiE 'no space left|disk quota|os error 28' "$log"; then
    fail "the disk is full; free about $NEEDED_GB GB and run this again (log: $log)"
  elif grep -qiE 'dns|resolve|connect|timed? ?out|unreachable|network|tls|certificate|failed to fetch|no matching distribution|could not find a version' "$log"; then
    fail "the Python package registry could not be reached; check the network or proxy, or point UV_INDEX_URL and PIP_INDEX_URL at a mirror, and run this again (log: $log)"
  fi
  tail -n 15 "$log" >&2
  fail "the installation failed; the lines above are the end of $log"
}

create_venv() {
  if [ -x "$VENV/bin/python" ] && supported "$VENV/bin/python"; then return; fi
  check_disk
  local python
  python=$(find_python)
  say "Creating $VENV with $("$python" --version) ($python)"
  rm -rf "$VENV"
  "$python" -m venv "$VENV" ||
    fail "'$python -m venv' failed; on Debian and Ubuntu its package is python3-venv, then run this again"
}

# The installer: uv where it can be had (about a minute), else pip (about four).
installer() {
  local log=$1
  if "$VENV/bin/uv" --version >/dev/null 2>&1; then return; fi
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check "uv==$UV_VERSION" >>"$log" 2>&1 || true
}

install_packages() {
  local extras=$1 log=$VENV/install.log
  : >"$log"
  installer "$log"
  if "$VENV/bin/uv" --version >/dev/null 2>&1; then
    # uv trusts certificates of its own; behind a company's proxy those of the system are needed.
    local certificates
    for certificates in "${UV_SYSTEM_CERTS:-false}" true; do
      UV_SYSTEM_CERTS=$certificates quietly "$log" "$VENV/bin/uv" pip install --python "$VENV/bin/python" "${EDITABLE[@]}" -c constraints.txt -e ".[$extras]" && return
      grep -qi certificate "$log" || break
    done
    say "  uv did not succeed (see $log), trying pip"
  fi
  quietly "$log" "$VENV/bin/python" -m pip install --disable-pip-version-check "${EDITABLE[@]}" -c constraints.txt -e ".[$extras]" ||
    explain_failure "$log"
}

# A stamp per set of extras, named after what decides their content.
fingerprint() {
  "$VENV/bin/python" -c 'import hashlib, os, sys
content = b"".join(open(name, "rb").read() for name in sys.argv[1:])
print(hashlib.sha256(content + os.getcwd().encode()).hexdigest()[:16])' pyproject.toml constraints.txt
}

set_up() {
  local name=$1 extras=$2 stamp
  create_venv
  stamp="$VENV/.ebmtrack-$name-$(fingerprint)"
  if [ -e "$stamp" ]; then return; fi
  say "Installing EBMTrack and its packages into $VENV (about a minute with uv, four with pip)"
  install_packages "$extras"
  touch "$stamp"
  say "Installed in ${SECONDS} s."
}

run_tests() {
  say "ruff" && "$VENV/bin/ruff" check . && "$VENV/bin/ruff" format --check .
  say "mypy" && "$VENV/bin/mypy"
  say "pytest"
  local workers
  workers=$("$VENV/bin/python" -c 'import os; print(min(4, len(os.sched_getaffinity(0))))' 2>/dev/null || echo 2)
  # One thread a process: spinning OpenMP threads on a shared machine cost more than they bring.
  OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE "$VENV/bin/python" -m pytest -n "$workers" --dist load "$@"
}

case "${1:-}" in
  "")
    set_up base track,train,eval,page
    say "Ready. Next:"
    say "  source $VENV/bin/activate"
    say "  ebmtrack video VIDEO --box x,y,w,h     a video of yours, and the target's box in its first frame"
    say "  ebmtrack video VIDEO --select          the same, the box drawn with the mouse on a page of this machine"
    say "  ebmtrack demo                          a clip that is here already, in a few minutes"
    ;;
  demo)
    shift
    set_up base track,train,eval,page
    exec "$VENV/bin/ebmtrack" demo "$@"
    ;;
  test)
    shift
    set_up base track,train,eval,page
    set_up test track,train,eval,page,detection,jpeg,sklearn,onnx,docs,dev
    run_tests "$@"
    ;;
  -h | --help | help) sed -n '2,8p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' ;;
  *) fail "unknown command '$1'; the commands are: demo, test, or none to only set up" ;;
esac
