"""Trials saved and regret caused by `--stop-when-converged`, on objectives with a known optimum.

python benchmarks/convergence.py [--sweeps 40] [--trials 100] [--sampler tpe]

Optuna samples, and the rule of `bearing_search.sweep.planning.stagnation` decides when to stop,
after an audit of three seeds. Printed for each objective and noise level: how many sweeps the rule
ended, after how many trials, and the true regret against the best setting of the whole sweep (mean
and 90th percentile).
"""

import argparse
import math
import random
import statistics
from collections.abc import Callable, Mapping

import optuna

from bearing_search.sweep.planning.stagnation import StagnationTerminator
from bearing_search.trial_history.records import TrialPurpose, TrialRecord

Point = Mapping[str, float]


def smooth(at: Point) -> float:
    """One wide peak of height .9."""
    return 0.9 - sum(0.1 * (x - 0.3) ** 2 for x in at.values())


def steep(at: Point) -> float:
    """A narrow peak, dominated by one of three parameters."""
    x, y, z = at.values()
    return 0.9 - 0.3 * (1 - math.exp(-40 * (x - 0.7) ** 2)) - 0.05 * abs(y - z)


def flat(at: Point) -> float:
    """A constant objective."""
    return 0.8


SAMPLERS = {
    "tpe": optuna.samplers.TPESampler,
    "random": optuna.samplers.RandomSampler,
    "nsga-ii": optuna.samplers.NSGAIISampler,
}
OBJECTIVES: tuple[Callable[[Point], float], ...] = (smooth, steep, flat)


def sweep(
    objective: Callable[[Point], float], noise: float, *, trials: int, sampler: str, seed: int
) -> tuple[int, float]:
    """Number of trials after which the rule ends one sweep, and the regret of ending there."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[sampler](seed=seed))
    luck = random.Random(seed)
    purposes: tuple[TrialPurpose, ...] = ("default", "audit", "audit")
    audit = [
        TrialRecord(number=n, state="complete", purpose=purpose, setting="base", value=value)
        for n, purpose in enumerate(purposes)
        for value in [0.7 + luck.gauss(0, noise)]
    ]
    course = StagnationTerminator(audit, may_converge=True)
    best = chosen = (-math.inf, -math.inf)  # measured, true
    ended = 0
    for number in range(trials):
        trial = study.ask()
        at = {name: trial.suggest_float(name, 0.0, 1.0) for name in "xyz"}
        truth = objective(at)
        measured = truth + luck.gauss(0, noise)
        study.tell(trial, measured)
        best = max(best, (measured, truth))
        course.add(
            TrialRecord(number=number, state="complete", setting=str(number), value=measured)
        )
        if not ended and course.converged:
            ended, chosen = number + 1, best
    return (ended, best[1] - chosen[1]) if ended else (trials, 0.0)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=40)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--sampler", default="tpe", choices=SAMPLERS)
    args = parser.parse_args()
    print("objective  noise  ended  trials run  regret: mean  nine of ten below")
    for objective in OBJECTIVES:
        for noise in (0.0, 0.01, 0.03):
            found = [
                sweep(objective, noise, trials=args.trials, sampler=args.sampler, seed=seed)
                for seed in range(args.sweeps)
            ]
            lengths, regrets = zip(*found, strict=True)
            ended = sum(length < args.trials for length in lengths)
            print(
                f"{objective.__name__:9}  {noise:5.2f}  {ended:3d}/{args.sweeps}"
                f"  {statistics.fmean(lengths):10.1f}  {statistics.fmean(regrets):+12.4f}"
                f"  {sorted(regrets)[int(0.9 * args.sweeps)]:+17.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
