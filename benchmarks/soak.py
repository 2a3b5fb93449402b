"""Soak test of exactly-once execution under random kills, on SQLite and PostgreSQL.

`python benchmarks/soak.py --kills 30` prints the tally of each ledger; exit status 1 if anything
was lost, done twice, or left behind. PostgreSQL is skipped with a message if it is not installed.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"


def main() -> int:
    """Run the soak test on both ledgers; returns the exit status."""
    sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "sweep")]
    import postgres
    from soak import Soak

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="number of kills for each ledger")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=60)
    args = parser.parse_args()
    problems = []
    for ledger in ("sqlite", "postgresql"):
        if ledger == "postgresql" and (reason := postgres.missing()):
            print(f"postgresql: skipped, {reason}")
            continue
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bs-soak-")))
            storage = ""
            if ledger == "postgresql":
                os.environ["PGPASSWORD"] = postgres.PASSWORD
                storage = stack.enter_context(postgres.server()).url
            soak = Soak(folder, seed=args.seed, trials=args.trials, storage=storage)
            tally = soak.run(args.kills)
        found = tally.problems(soak.trials)
        problems += found
        print(ledger, *(f"  {name}: {value}" for name, value in vars(tally).items()), sep="\n")
        print("  exactly once" if not found else "\n".join(f"  WRONG {text}" for text in found))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
