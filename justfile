# Steps of .ci/run, in the environment that is active (`pip install -c constraints.txt -e '.[dev]'`).

[private]
default:
    @just --list

# ruff: lint, and is all of it formatted
lint:
    bash .ci/run lint

# mypy: package, tests, benchmarks
types:
    bash .ci/run types

# import-linter: imports only go downward
layers:
    bash .ci/run layers

# the fast tests
test:
    bash .ci/run test

# every test but those for a GPU, with coverage
slow:
    bash .ci/run slow

# the tests that compare times, with nothing else running
alone:
    bash .ci/run alone

# is every wrong line noticed by a test? hours; `python benchmarks/mutants.py TARGET` runs one target
mutants:
    bash .ci/run mutants

# coverage of the last `just slow`, and its floor
coverage:
    bash .ci/run coverage

# the pages, into site/
docs:
    bash .ci/run docs

# the whole checklist, in a fresh environment
gate:
    bash .ci/run

# a set of every layout through import, check, run and evaluate; -rP shows the scores
layouts:
    python -m pytest tests/data/layouts -m slow -rP

# thousands of spaces, manifests, command lines and damaged sweeps; FUZZ_SEED=N starts elsewhere
fuzz:
    FUZZ_CASES=2000 python -m pytest tests/fuzz -m slow
