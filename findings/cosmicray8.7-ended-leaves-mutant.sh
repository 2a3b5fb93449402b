#!/usr/bin/env bash
# cosmic-ray 8.7.0: a run of `exec` that is ended by SIGTERM leaves the last mutant in the source file.
#
# `cosmic-ray exec` writes each mutant into the module itself and puts the original text back after its tests.
# SIGTERM (a timeout, a scheduler, CI that cancels a job) ends Python without the code that puts it back: the
# working tree then holds a changed operator, nothing on the terminal says so, and the next run makes its mutants
# from the changed file. Ctrl-C raises KeyboardInterrupt and restores the file. It matters wherever mutation tests
# of a measuring code, such as a metric, run with a time limit: a wrong sign stays behind. Run it on a copy.
#
# Seen on 2026-11-30, CPython 3.11, x86-64 Linux:
#   after SIGINT:  the module is as it was
#   after SIGTERM: the module differs in one line, `return first + second` has another operator
#
# Exits with 0 while it is so, with 1 when something has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cosmic-ray==8.7.0
export PATH="$folder/venv/bin:$PATH"
mkdir "$folder/work"
cd "$folder/work"

cat > added.py <<'PYTHON'
def added(first, second):
    return first + second
PYTHON
cat > check.py <<'PYTHON'
import time

from added import added

time.sleep(20)
assert added(2, 3) == 5
PYTHON
cat > config.toml <<'TOML'
[cosmic-ray]
module-path = "added.py"
timeout = 60.0
excluded-modules = []
test-command = "python check.py"

[cosmic-ray.distributor]
name = "local"
TOML
cp added.py original.py

ended_by() { # the signal; prints the lines of the module that differ
  cp original.py added.py
  rm -f session.sqlite
  cosmic-ray init config.toml session.sqlite
  setsid cosmic-ray exec config.toml session.sqlite > log 2>&1 &
  local run=$!
  for _ in $(seq 100); do # until a mutant is written
    cmp -s original.py added.py || break
    sleep 0.2
  done
  sleep 1
  python - "$run" "$1" <<'PYTHON'
import os
import signal
import sys

os.kill(int(sys.argv[1]), getattr(signal, sys.argv[2]))
PYTHON
  wait "$run" || true
  sleep 1
  diff original.py added.py || true
}

interrupted=$(ended_by SIGINT)
ended=$(ended_by SIGTERM)
printf 'after SIGINT:  %s\n' "${interrupted:-the module is as it was}"
printf 'after SIGTERM:\n%s\n' "${ended:-the module is as it was}"
[ -n "$ended" ] || { echo "SIGTERM restores the module now"; exit 1; }
[ -z "$interrupted" ] || { echo "SIGINT leaves the mutant, too"; exit 1; }
echo "as described"
