"""The data of one part in one fold (or in all of train), ready for training and scoring.

Everything that preprocessing estimates comes from the training side of the fold only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int

from bearing_search.config import TrialConfig
from bearing_search.data.drawn_defects import DefectSizes
from bearing_search.data.samples import Sample, read_levels, read_mask
from bearing_search.errors import TrialFailedError
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import PreparedSet, prepare, shrink_any
from bearing_search.preprocess.roi_quality import RoiScore, roi_score
from bearing_search.training.folds.drawing import (
    Drawing,
    drawing_digest,
    measured_sizes,
    with_defects,
)
from bearing_search.training.folds.fold_plan import PartPlan
from bearing_search.training.images import Images


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The samples that a fold is scored on."""

    images: Images
    roi: Bool[np.ndarray, "n s s"]
    """Region of interest at the size of the images."""

    map_masks: Bool[np.ndarray, "n m m"]
    map_roi: Bool[np.ndarray, "n m m"]
    """Region of interest at the size of the map; a pixel counts where any part of it is kept."""

    is_anomalous: Bool[np.ndarray, " n"]
    has_mask: Bool[np.ndarray, " n"]
    """Whether the pixels are labelled; False for anomalous samples without a mask."""

    samples: tuple[Sample, ...]
    lost_regions: Int[np.ndarray, " n"]
    """Number of ground-truth regions of each sample that preprocessing cropped away."""

    unreachable_regions: int
    """Number of ground-truth regions in samples without an ROI."""

    no_roi: tuple[tuple[Sample, str], ...]
    """Samples that could not be scored, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldData:
    """Training and held-out samples of one part."""

    part: str
    normals: Images
    anomalous: Images
    """Empty for a part without training defects if `synthetic_defects` is `always`."""

    normal_samples: tuple[Sample, ...]
    anomalous_samples: tuple[Sample, ...]
    held_out: HeldOut
    has_synthetic_defects: bool
    """Whether the training side has no defects, so that those held out are synthetic."""

    unmasked: str
    """How many defects have no mask, and so are not learned from; empty: all have one."""

    drawing: str
    """Digest of the defects drawn on held-out samples (`drawing_digest`); empty: none are."""

    drawn_sizes: str
    """Where the sizes of these defects come from; empty: none are drawn."""

    dropped: tuple[tuple[Sample, str], ...]
    """Training samples without an ROI, with the reason."""

    roi: RoiScore
    """Quality of the ROI detection, measured without labels on the training side."""

    digest: str
    """Digest of all prepared pixels, independent of the settings that led to them."""


def prepare_fold(
    plan: PartPlan, config: TrialConfig, *, is_validation: bool, cache: Path
) -> FoldData:
    """Prepare the images of one part in one fold.

    Args:
        is_validation: whether the held-out samples come from train. If train has no defects, every
            second held-out sample then gets a synthetic one. Test samples never do.

    Raises:
        DataError: a file cannot be used.
        TrialFailedError: no sample of a required kind has a region of interest.
    """
    part, train = plan.part, plan.train
    reference = fit_reference(train, config.preprocess, cache=cache)

    def prepared(samples: Sequence[Sample]) -> PreparedSet:
        return prepare(
            samples,
            reference,
            config.preprocess,
            input_px=config.encoder.input_px,
            map_px=config.protocol.map_px,
            cache=cache,
        )

    def drawing(measured: Sequence[Sample], seed: tuple[int, ...]) -> Drawing:
        sizes = DefectSizes(
            range_px=config.protocol.drawn_defect_px, measured=measured_sizes(measured, cache)
        )
        return Drawing(
            reference=reference, config=config.preprocess, sizes=sizes, seed=seed, cache=cache
        )

    normals = [s for s in train if not s.is_anomalous]
    anomalous = [s for s in train if s.is_anomalous and not s.is_unmasked]
    held_out, drawn, sizes = list(plan.held_out), "", ""
    is_synthetic = not any(s.is_anomalous for s in train)
    if is_synthetic and is_validation:
        # the split's seed: what is held out is the same for every seed of the trial
        found = drawing(plan.measured, (config.split.seed, 5))
        held_out, sizes = with_defects(held_out, found, every=2), found.sizes.source
        drawn = drawing_digest(held_out)
    is_needed = config.finetune.synthetic_defects == "when_needed"
    if not anomalous and is_needed:
        found = drawing(plan.measured_to_train, (config.seed, 6))
        anomalous = [s for s in with_defects(normals, found, every=1) if s.is_anomalous]
    normal, tuned, predictions = prepared(normals), prepared(anomalous), prepared(held_out)
    _require_samples(part, normal, needed="normal training sample")
    if is_needed:
        _require_samples(part, tuned, needed="anomalous training sample")
    _require_samples(part, predictions, needed="held-out sample")
    return FoldData(
        part=part,
        normals=_to_train(normal, config),
        anomalous=_to_train(tuned, config),
        normal_samples=normal.samples,
        anomalous_samples=tuned.samples,
        held_out=replace(
            held_out_of(predictions, config.protocol.map_px),
            unreachable_regions=sum(
                _num_regions(s) for s, _ in predictions.no_roi if s.is_anomalous
            ),
        ),
        has_synthetic_defects=is_synthetic,
        unmasked=_unmasked_text(train, plan.held_out),
        drawing=drawn,
        drawn_sizes=sizes,
        roi=roi_score(train, reference, config.preprocess),
        dropped=(*normal.no_roi, *tuned.no_roi),
        digest="-".join(s.digest[:8] for s in (normal, tuned, predictions)),
    )


def _unmasked_text(train: Sequence[Sample], held_out: Sequence[Sample]) -> str:
    """`3 of 8 in training, 2 of 4 held out`; empty where every defect has a mask."""
    texts = []
    for title, samples in (("in training", train), ("held out", held_out)):
        anomalous = [sample for sample in samples if sample.is_anomalous]
        unmasked = sum(sample.is_unmasked for sample in anomalous)
        texts += [f"{unmasked} of {len(anomalous)} {title}"] if unmasked else []
    return ", ".join(texts)


def held_out_of(found: PreparedSet, map_px: int) -> HeldOut:
    """Prepared samples to be scored, none of which has regions that cannot be reached."""
    return HeldOut(
        images=Images(pixels=found.images, masks=found.masks),
        roi=found.roi_masks,
        map_masks=found.map_masks,
        map_roi=np.stack([shrink_any(one, map_px) for one in found.roi_masks]),
        is_anomalous=np.array([s.is_anomalous for s in found.samples]),
        has_mask=np.array([not s.is_unmasked for s in found.samples], dtype=bool),
        samples=found.samples,
        lost_regions=found.lost_regions,
        unreachable_regions=0,
        no_roi=found.no_roi,
    )


def _to_train(found: PreparedSet, config: TrialConfig) -> Images:
    turned = [s.part in config.augment.rotated_parts for s in found.samples]
    return Images(
        pixels=found.images,
        masks=found.masks,
        roi=found.roi_masks,
        is_rotatable=np.array(turned, dtype=bool),
    )


def _num_regions(sample: Sample) -> int:
    mask = read_mask(sample, read_levels(sample)[0].shape[:2])
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1


def _require_samples(part: str, found: PreparedSet, *, needed: str) -> None:
    if len(found.samples) == 0:
        reasons = f"; {found.no_roi[0][0].title}: {found.no_roi[0][1]}" if found.no_roi else ""
        raise TrialFailedError(
            f"{part}: no {needed} is left ({len(found.no_roi)} have no region of interest{reasons})"
        )
