"""What a config costs, counted from its settings: to use, and to train. No torch.

Counts do not depend on the machine, its load, or what other trials computed. They cover the matrix
products and convolutions of encoder and detector, not preprocessing and anomaly maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.models.encoders.size import EncoderSize, encoder_size
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.detection.work import CountDetector, DetectorWork
from bearing_search.training.plan import finetune_plan

_FLOAT_BYTES = 4
_BACKWARD = 2
"""Work of a backward pass, in forward passes."""

_BRIGHTNESSES = 3
"""Inputs per sample, where each brightness image is a separate one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostOfUse:
    """What it costs to use a trained setting."""

    gflop: float
    """Work per sample in GFLOP: encoder, then decoder or search of the memory."""

    megabytes: float
    """Weights of the encoder and the detector, or its memory bank, in fp32."""


def cost_of_use(config: TrialConfig, normals: int) -> CostOfUse | None:
    """Work per sample and memory of one trained detector with its encoder.

    Args:
        config: the trial.
        normals: normal samples that it is trained on, from which a memory bank is taken.

    Returns:
        The cost; None if the size of the encoder is not in its name, or the detector is not
        counted (`DetectorSpec.counted`).
    """
    inputs = _inputs(config)
    counted = _counted(config, normals * inputs)
    if counted is None:
        return None
    encoder, detector = counted
    return CostOfUse(
        gflop=inputs * (encoder.gflop_up_to(detector.reads) + detector.gflop),
        megabytes=(_FLOAT_BYTES * encoder.parameters + detector.num_bytes) / 1e6,
    )


def train_gflop(config: TrialConfig, train: Sequence[Sample]) -> float | None:
    """Work of fine-tuning one encoder and training one detector on it, in GFLOP.

    Features of a frozen encoder count once per normal sample without augmentation, and in every
    iteration with it. Nothing is subtracted for what other trials share.

    Args:
        config: the trial.
        train: samples that it is trained on.

    Returns:
        The work; None if it is not known (see `cost_of_use`).
    """
    normals, anomalous = trained_on(config, train)
    inputs = _inputs(config)
    counted = _counted(config, normals * inputs)
    if counted is None:
        return None
    encoder, detector = counted
    is_rotated = config.augment.rotation_deg > 0 and any(
        sample.part in config.augment.rotated_parts for sample in train
    )
    is_altered = is_rotated or config.decoder.alters_images
    encoded = detector.fit_images if is_altered else normals * inputs
    tuning = _finetune_gflop(
        config, encoder, (normals * inputs, anomalous * inputs), is_rotated=is_rotated
    )
    return tuning + encoded * encoder.gflop_up_to(detector.reads) + detector.fit_gflop


def trained_on(config: TrialConfig, train: Sequence[Sample]) -> tuple[int, int]:
    """Number of normal and of anomalous samples in training, synthetic ones included.

    With `synthetic_defects: when_needed`, a part without defects gets one per normal sample.
    Defects without a mask do not count: the patch task cannot learn from them.
    """
    num_normal = num_anomalous = 0
    for part in {sample.part for sample in train}:
        found = [sample for sample in train if sample.part == part]
        anomalous = sum(sample.is_anomalous and not sample.is_unmasked for sample in found)
        normal = sum(not sample.is_anomalous for sample in found)
        if config.finetune.synthetic_defects == "when_needed":
            anomalous = anomalous or normal
        num_normal += normal
        num_anomalous += anomalous
    return num_normal, num_anomalous


def _finetune_gflop(
    config: TrialConfig, encoder: EncoderSize, counts: tuple[int, int], *, is_rotated: bool
) -> float:
    """Forward and backward passes of the encoder, and the frozen encoder's forward passes."""
    settings, (normals, anomalous) = config.finetune, counts
    if not settings.epochs:
        return 0.0
    plan = finetune_plan(settings, num_normal=normals, num_anomalous=anomalous, seed=config.seed)
    shown = {task: sum(len(step.batch) for step in plan if step.task is task) for task in Task}
    frozen = float(min(normals, shown[Task.RECONSTRUCTION]))
    if is_rotated or settings.alters_images:
        frozen = float(shown[Task.RECONSTRUCTION])
    if settings.patch_anchor_weight > 0:
        frozen += shown[Task.PATCH_CLASSIFICATION]
    whole = encoder.gflop[-1]
    kept = len(encoder.gflop) - (settings.trainable_blocks or 0)  # blocks without gradients
    below = encoder.gflop[kept - 1] if settings.trainable_blocks is not None and kept else 0.0
    per_image = whole + _BACKWARD * (whole - below)
    return sum(shown.values()) * per_image + frozen * encoder.gflop_up_to(settings.ssim_layers)


def _counted(config: TrialConfig, images: int) -> tuple[EncoderSize, DetectorWork] | None:
    encoder, wanted = encoder_size(config.encoder), DETECTORS[config.detector].counted
    if encoder is None or not wanted:
        return None
    module, _, name = wanted.partition(":")
    count: CountDetector = getattr(import_module(module), name)
    return encoder, count(config, encoder, images)


def _inputs(config: TrialConfig) -> int:
    return 1 if config.fusion == "channels" else _BRIGHTNESSES
