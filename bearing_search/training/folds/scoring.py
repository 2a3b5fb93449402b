"""Anomaly maps, scores and metrics of held-out samples from their detections.

Axis letters: n samples, s side of the input in pixels.
"""

from pathlib import Path

from bearing_search.config import ProtocolConfig, TrialConfig
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.measurement import TrialContext
from bearing_search.preprocess.roi_quality import RoiScore
from bearing_search.training.checkpoint import Row
from bearing_search.training.detection.detection import Detection
from bearing_search.training.folds.fold_data import FoldData, HeldOut
from bearing_search.training.folds.fold_plan import FoldPlan, PartPlan
from bearing_search.training.plots.heat_maps import heat_map_picture


def score_part(
    part: PartPlan,
    plan: FoldPlan,
    fold: FoldData,
    detection: Detection,
    config: TrialConfig,
    context: TrialContext,
) -> Row:
    """Score a part's held-out samples, write predictions and a picture, and return its metrics."""
    folder = context.folder / part.key
    folder.mkdir(parents=True, exist_ok=True)
    predictions = score_fold(fold.held_out, detection, config, file=folder / "scored.npz")
    if plan.fold == 0:
        picture = context.folder / "artifacts" / f"heat_maps_{part.part}.png"
        heat_map_picture(
            predictions,
            fold.held_out.images.pixels,
            num_levels=len(fold.held_out.samples[0].level_files),
            is_mid_level=part.part in config.preprocess.mid_level_parts,
            file=picture,
        )
    return fold_metrics(predictions, fold.roi, config.protocol)


def score_fold(
    held_out: HeldOut, found: Detection, config: TrialConfig, *, file: Path
) -> Predictions:
    """Score the held-out samples, and save the result to `file`.

    Args:
        found: distances of the held-out samples, or of their brightness images, in order.
    """
    count = len(held_out.samples)
    distances = found.distances.reshape(count, -1, *found.distances.shape[1:])
    own_scores = None if found.own_scores is None else found.own_scores.reshape(count, -1)
    rendering = PostprocessSpec(
        detector=config.detector,
        fusion=config.fusion,
        input_px=config.encoder.input_px,
        map_px=config.protocol.map_px,
        postprocess=config.postprocess,
    )
    rendered = anomaly_maps(distances, own_scores, rendering, held_out.map_roi)
    predictions = Predictions(
        distances=distances,
        own_scores=own_scores,
        rendering=rendering,
        maps=rendered.maps,
        image_scores=rendered.image_scores,
        masks=held_out.map_masks,
        is_anomalous=held_out.is_anomalous,
        has_mask=held_out.has_mask,
        groups=tuple(sample.group for sample in held_out.samples),
        names=tuple(sample.title for sample in held_out.samples),
        defects=tuple(sample.defect for sample in held_out.samples),
        lost_regions=held_out.lost_regions,
        unreachable_regions=held_out.unreachable_regions,
        num_no_roi=len(held_out.no_roi),
        roi=held_out.map_roi,
        region=rendered.region,
    )
    save_predictions(predictions, file)
    return predictions


def fold_metrics(predictions: Predictions, roi: RoiScore, protocol: ProtocolConfig) -> Row:
    """Every metric of a fold by name; those of pixels are NaN if no anomalous sample has a mask."""
    num_held_out = len(predictions.names) + predictions.num_no_roi
    missed = float("nan") if predictions.lacks_pixel_labels else float(predictions.missed_regions)
    return {
        **predictions.metrics(protocol),
        **predictions.inside_metrics(protocol),
        "roi_found_share": len(predictions.names) / num_held_out,
        "roi_size_spread": roi.size_spread,
        "roi_instability_px": roi.instability_px,
        "missed_regions": missed,
    }
