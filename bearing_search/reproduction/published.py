"""The numbers published in the paper, for comparison.

Source: Park et al. 2026, Table 2 (columns I-AUROC to P-AUPRO). `Mean` is the unweighted mean of
the three parts.
"""

from collections.abc import Mapping
from typing import Literal

from bearing_search.config import DETECTORS
from bearing_search.evaluation.metric_table import METRICS

EncoderState = Literal["EN_pre", "EN_train"]
"""The pretrained encoder, frozen and fine-tuned, in the paper's notation."""

ENCODER_STATES: tuple[EncoderState, ...] = ("EN_pre", "EN_train")

MEAN = "Mean"
"""Takes the place of a part's name for the mean over parts."""

PAPER_METRICS = (
    "image_auroc",
    "image_ap",
    "image_f1_max",
    "pixel_auroc",
    "pixel_ap",
    "pixel_f1_max",
    "pixel_aupro",
)
"""The metrics of Table 2, in the order of its columns."""

EVEN_THRESHOLDS_METRIC = "pixel_aupro_200"
"""AUPRO as computed by Dinomaly's code. The paper seems to use that code, so its P-AUPRO is
compared with this metric as well."""

EVEN_THRESHOLDS_TITLE = "P-AUPRO (200)"

_Rows = Mapping[str, tuple[float, ...]]

TABLE_2: Mapping[str, Mapping[EncoderState, _Rows]] = {
    "vitad": {
        "EN_pre": {
            "LC": (0.9441, 0.9839, 0.9388, 0.8661, 0.0095, 0.0488, 0.4212),
            "SC": (0.7514, 0.8009, 0.8060, 0.9589, 0.0154, 0.0562, 0.8005),
            "OD": (0.6256, 0.8969, 0.9109, 0.8837, 0.0099, 0.0443, 0.5685),
            MEAN: (0.7737, 0.8939, 0.8852, 0.9029, 0.0116, 0.0498, 0.5967),
        },
        "EN_train": {
            "LC": (0.8944, 0.9687, 0.9200, 0.8616, 0.0120, 0.0644, 0.4124),
            "SC": (0.7069, 0.7614, 0.8060, 0.9471, 0.0141, 0.0632, 0.7638),
            "OD": (0.8237, 0.9623, 0.9149, 0.8782, 0.0370, 0.1102, 0.6488),
            MEAN: (0.8083, 0.8975, 0.8803, 0.8956, 0.0211, 0.0792, 0.6084),
        },
    },
    "dinomaly": {
        "EN_pre": {
            "LC": (0.9503, 0.9880, 0.9565, 0.9589, 0.0273, 0.0885, 0.7868),
            "SC": (0.8764, 0.9111, 0.8254, 0.9897, 0.0692, 0.1670, 0.9449),
            "OD": (0.7126, 0.9219, 0.9109, 0.9769, 0.1023, 0.1751, 0.8639),
            MEAN: (0.8464, 0.9403, 0.8976, 0.9752, 0.0662, 0.1436, 0.8652),
        },
        "EN_train": {
            "LC": (0.9627, 0.9899, 0.9545, 0.9566, 0.0286, 0.0870, 0.7746),
            "SC": (0.8750, 0.9210, 0.8235, 0.9880, 0.0689, 0.1746, 0.9343),
            "OD": (0.8527, 0.9700, 0.9167, 0.9833, 0.1736, 0.2567, 0.8969),
            MEAN: (0.8968, 0.9603, 0.8982, 0.9760, 0.0904, 0.1727, 0.8686),
        },
    },
}


def exact_metrics() -> tuple[str, ...]:
    """All metrics of METRICS in display order: the paper's come first."""
    return (*PAPER_METRICS, *(name for name in METRICS if name not in PAPER_METRICS))


def table_metrics() -> tuple[str, ...]:
    """The metrics of the table: the paper's, AUPRO as the paper computes it, then the others."""
    added = exact_metrics()[len(PAPER_METRICS) :]
    return (*PAPER_METRICS, EVEN_THRESHOLDS_METRIC, *added)


def is_image_metric(metric: str) -> bool:
    """Whether a metric of the table is of whole images rather than pixels."""
    return metric in METRICS and METRICS[metric].level == "image"


def detector_titles() -> dict[str, str]:
    """Detector -> display name, in the order of all tables: the paper's two come first."""
    others = [name for name in DETECTORS if name not in TABLE_2]
    return {name: DETECTORS[name].title for name in (*TABLE_2, *others)}


def published(detector: str, encoder: EncoderState, part: str, metric: str) -> float | None:
    """A number of Table 2; None if the paper has none.

    `part` may be MEAN; `pixel_aupro_200` gives the paper's P-AUPRO.
    """
    row = TABLE_2.get(detector, {}).get(encoder, {}).get(part)
    name = "pixel_aupro" if metric == EVEN_THRESHOLDS_METRIC else metric
    return row[PAPER_METRICS.index(name)] if row and name in PAPER_METRICS else None
