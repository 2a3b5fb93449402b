"""Estimates how long a reproduction takes, from its matrix products and a measured speed.

The estimate is good to a factor of two: it counts only the networks' matrix products.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.plan import detector_iterations, finetune_plan

_WIDTHS = {"tiny": 192, "small": 384, "base": 768, "large": 1024}
_BLOCK = 12
"""Parameters of a transformer block, divided by its width squared."""

_DEPTH = 12
_TRAINED = 3
"""Cost of a forward and backward pass, in forward passes."""

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
    normals = sum(not sample.is_anomalous for sample in train)
    anomalous = len(train) - normals or normals  # none: every normal sample gets a synthetic defect
    plan = finetune_plan(
        config.finetune, num_normal=normals, num_anomalous=anomalous, seed=config.seed
    )
    per_block = _gflop_of_block(config)
    passes = {Task.RECONSTRUCTION: _DEPTH * (_TRAINED + 1), Task.PATCH_CLASSIFICATION: _DEPTH * 3}
    tuning = sum(passes[step.task] * len(step.batch) for step in plan)
    is_rotated = config.augment.rotation_deg > 0 and any(
        sample.part in config.augment.rotated_parts for sample in train
    )
    detecting = _passes_of_detector(config, normals, is_rotated)
    return Work(
        runs=1,
        finetune_steps=len(plan),
        detector_steps=detector_iterations(config),
        gflop=(per_block or 0.0) * (tuning + detecting),
        is_known=per_block is not None,
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


def _passes_of_detector(config: TrialConfig, normals: int, is_rotated: bool) -> float:
    """Cost of the detector, in forward passes of one sample through one encoder block."""
    trained = DETECTORS[config.detector].trained_parameters
    if not trained:  # each normal sample is read once
        return _DEPTH * normals
    # without rotation the encoder's features are computed once
    blocks = _TRAINED * trained / _BLOCK + (_DEPTH if is_rotated else 0)
    return detector_iterations(config) * min(config.decoder.batch_size, normals) * blocks


def _gflop_of_block(config: TrialConfig) -> float | None:
    name = re.match(r"vit_(\w+?)_patch(\d+)", config.encoder.name)
    if name is None or name[1] not in _WIDTHS:
        return None
    width, tokens = _WIDTHS[name[1]], (config.encoder.input_px // int(name[2])) ** 2
    products = 2 * _BLOCK * width**2 * tokens + 4 * width * tokens**2
    return products / 1e9
