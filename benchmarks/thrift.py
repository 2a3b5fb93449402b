"""What it saves that TPE prefers, among equal candidates, one that shares what others have made.

python benchmarks/candidate_cost.py [--sweeps 100] [--trials 60]

Sweeps over a space whose first axes move the fine-tuned encoder and whose last ones do not, one
trial at a time, on objectives whose best is known. Printed for each objective and tolerance: the
share of trials whose encoder was there, or at least its beginning; what a trial costs on average,
with 1 for an encoder (.3 of it for its beginning) and .5 for a detector; and the regret of the best
setting at the end, its mean with the error of that, and the bound that nine of ten sweeps keep.
"""

import argparse
import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna

from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.planning import candidate_cost
from bearing_search.sweep.planning.config_index import ConfigIndex, TrialKey
from bearing_search.sweep.planning.reuse_order import ReuseOrder
from bearing_search.sweep.planning.shared_prefix import shared_prefix
from bearing_search.sweep.study.param_encoding import suggest
from bearing_search.trial_history.records import TrialRecord

SPACE = parse_search_space(
    """# Which prefix, which detector?
base: {}
vary:
  finetune.alternation_period: {int: [1, 10]}
  finetune.ssim_layers: {subset: [9, 10, 11, 12], empty: [12]}
  decoder.lr: {log: [5e-4, 4e-3]}
  dinomaly.dropout: {choice: [0.1, 0.2, 0.4]}
""",
    "candidate_cost",
)
BEGINNING, REST, DETECTOR = 0.3, 0.7, 0.5
"""Costs; the first two together are an encoder."""

NOISE = 0.005
Suggestion = Mapping[str, Any]


def early(at: Suggestion) -> float:
    """What moves the encoder matters most."""
    layers = len(set(at["finetune.ssim_layers"]) ^ {10, 12})
    return 0.9 - 0.02 * abs(at["finetune.alternation_period"] - 4) - 0.03 * layers - 0.2 * late_(at)


def late(at: Suggestion) -> float:
    """What moves the detector matters most."""
    layers = len(set(at["finetune.ssim_layers"]) ^ {10, 12})
    return 0.9 - 0.002 * abs(at["finetune.alternation_period"] - 4) - 0.003 * layers - 2 * late_(at)


def flat(at: Suggestion) -> float:
    """Nothing matters."""
    return 0.8


def late_(at: Suggestion) -> float:
    """How far the last axes are from their best."""
    return 0.05 * math.log(at["decoder.lr"] / 1.2e-3) ** 2 + 0.02 * (at["dinomaly.dropout"] != 0.2)


BEST = {"early": 0.9, "late": 0.9, "flat": 0.8}
OBJECTIVES: tuple[Callable[[Suggestion], float], ...] = (early, late, flat)


def sweep(
    objective: Callable[[Suggestion], float], tolerance: float, *, trials: int, seed: int
) -> tuple[float, float, float, float]:
    """Shares of encoders and of beginnings that were there, cost of a trial, regret."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config_index = ConfigIndex([])
    ranks = candidate_cost.Thrift(SPACE, config_index, ReuseOrder(config_index))
    candidate_cost.TOLERANCE = tolerance
    rank = ranks.rank if tolerance else lambda params: None
    study = optuna.create_study(
        direction="maximize", sampler=candidate_cost.ThriftyTPE(rank, SPACE, seed=seed)
    )
    luck = random.Random(seed)
    best = (-math.inf, -math.inf)  # what was measured, what is true
    shared = begun = 0
    for number in range(trials):
        trial = study.ask()
        at = suggest(SPACE, trial)
        config = SPACE.trial(at)
        prefix = shared_prefix(config)
        shared += prefix.encoder in config_index.made
        begun += prefix.encoder not in config_index.made and prefix.beginning in config_index.made
        config_index.begin(number, TrialKey(config.digest, config.digest, prefix))
        truth = objective(at)
        measured = truth + luck.gauss(0, NOISE)
        study.tell(trial, measured)
        config_index.finish(
            TrialRecord(
                number=number,
                state="complete",
                digest=config.digest,
                identity=config.digest,
                prefix=prefix,
                value=measured,
            )
        )
        best = max(best, (measured, truth))
    saved = shared * (BEGINNING + REST) + begun * BEGINNING
    cost = BEGINNING + REST + DETECTOR - saved / trials
    return shared / trials, begun / trials, cost, BEST[objective.__name__] - best[1]


def line(found: Sequence[tuple[float, float, float, float]]) -> str:
    """Means over sweeps."""
    shared, begun, cost, regret = zip(*found, strict=True)
    error = statistics.stdev(regret) / len(regret) ** 0.5
    return (
        f"{statistics.fmean(shared):8.2f}  {statistics.fmean(begun):6.2f}"
        f"  {statistics.fmean(cost):5.2f}  {statistics.fmean(regret):.4f} +- {error:.4f}"
        f"  {sorted(regret)[int(0.9 * len(regret))]:.4f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--trials", type=int, default=60)
    args = parser.parse_args()
    print("objective  tolerance   encoder  begun   cost  regret            nine of ten below")
    for objective in OBJECTIVES:
        for tolerance in (0.0, 0.001, 0.01, 0.05, 0.2):
            found = [
                sweep(objective, tolerance, trials=args.trials, seed=seed)
                for seed in range(args.sweeps)
            ]
            print(f"{objective.__name__:9}  {tolerance:9.2f}  {line(found)}", flush=True)


if __name__ == "__main__":
    main()
