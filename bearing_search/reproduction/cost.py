"""Estimates how long a reproduction takes, from its counted work and a measured speed.

The estimate is good to a factor of two: only the networks' matrix products are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bearing_search.config import TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.training.cost import train_gflop, trained_on
from bearing_search.training.plan import detector_iterations, finetune_plan

UNIT_S = 15.0
"""Seconds for starting a process, loading weights, preparing and scoring one part."""

EFFICIENCY = {"cpu": 0.42, "cuda": 0.3}
"""Fraction of the speed of plain matrix products that a training step reaches. Measured on 2 idle
cores with 935 GFLOP/s in bf16 (ViT-S, 224 px, batch 8): .66 s per step of Dinomaly, .75 s of ViTAD,
1.09 s of fine-tuning. For GPUs it is a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Amount of computation."""

    runs: int = 0
    finetune_steps: int = 0
    detector_steps: int = 0
    gflop: float = 0.0
    is_known: bool = True
    """False if the size of an encoder is unknown, so that `gflop` is too low."""

    def __add__(self, other: "Work") -> "Work":
        return Work(
            runs=self.runs + other.runs,
            finetune_steps=self.finetune_steps + other.finetune_steps,
            detector_steps=self.detector_steps + other.detector_steps,
            gflop=self.gflop + other.gflop,
            is_known=self.is_known and other.is_known,
        )


def work_of(config: TrialConfig, train: Sequence[Sample]) -> Work:
    """The computation that one training run takes.

    Args:
        config: config of the run.
        train: training samples of the run's parts.
    """
    normals, anomalous = trained_on(config, train)
    plan = finetune_plan(
        config.finetune, num_normal=normals, num_anomalous=anomalous, seed=config.seed
    )
    gflop = train_gflop(config, train)
    return Work(
        runs=1,
        finetune_steps=len(plan),
        detector_steps=detector_iterations(config),
        gflop=gflop or 0.0,
        is_known=gflop is not None,
    )


def seconds(work: Work, *, gflop_per_s: float, device: str, side_by_side: int = 1) -> float:
    """Estimated duration of the work in seconds.

    Args:
        work: the computation.
        gflop_per_s: measured speed of plain matrix products, on all cores or on one GPU.
        device: `cpu` or `cuda`.
        side_by_side: number of GPUs in use, or of concurrent runs that share the cores.
    """
    compute = work.gflop / (gflop_per_s * EFFICIENCY[device])
    return (compute / (side_by_side if device == "cuda" else 1)) + work.runs * UNIT_S / side_by_side
