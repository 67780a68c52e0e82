#!/bin/sh
# Makes .venv from the locked requirements: venv.sh FOLDER. Called by the Makefile after setup.sh.
# One line when it fails; all that pip said is in the log. PYTHON: the interpreter.
set -u
venv=$1
log=build/venv.log

fail() {
    reason=$(grep -E 'ERROR|Error:|error:' "$log" | tail -n 1)
    echo "setup: $* failed: ${reason:-see the log}; is the package index within reach? (all it said: $log)" >&2
    exit 1
}

pip() {
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@" >>"$log" 2>&1 || fail "pip install $*"
}

mkdir -p build && : >"$log"
echo "installing the locked requirements into $venv, about a minute"
"${PYTHON:-python3}" -m venv "$venv" >>"$log" 2>&1 || fail "making $venv"
pip --require-hashes -r requirements/build.txt
pip --require-hashes -r requirements/dev.txt
pip --no-deps --no-build-isolation -e .
