"""The table of detectors: the only detector-specific knowledge outside `training`. No torch.

Code outside the package may add entries, before it creates a config that names the new detector:

    DETECTORS["flow"] = DetectorSpec(title="Flow", config=FlowConfig, build="my_flow:build")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bearing_search.config.detectors.decoders import DinomalyConfig, VitadConfig
from bearing_search.config.detectors.memory_banks import (
    PadimConfig,
    PatchCoreConfig,
    SubspaceConfig,
)
from bearing_search.config.fields import require
from bearing_search.config.postprocess import ImageScore

_VIT_BASE = {"encoder.name": "vit_base_patch14_reg4_dinov2.lvd142m", "encoder.input_px": 448}
_MEMORY_ITERATIONS = 9
"""The normal samples are read in eight chunks, then the memory is fitted. The number does not
depend on the sample count, so the number of measurements is known before any ROI has been found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSpec:
    """How a detector's distances become anomaly maps and image scores; layers are averaged."""

    align_corners: bool = False
    """Whether corner patches align with corner pixels when distances are upsampled to the input."""

    smoothing_window_px: int | None = None
    """Side of the smoothing window, with zero padding at the border. None: the window reaches
    4 sigma, with mirrored borders."""

    image_score: ImageScore = "max"
    """Meaning of `postprocess.image_score: own`, unless the detector scores images itself."""

    def __post_init__(self) -> None:
        require(self.image_score != "own", "image_score is 'own'; here it must be a rule for maps")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """A detector: its settings, how it is built and trained, and how its distances are scored."""

    title: str
    """Display name, as its authors spell it."""

    config: type[Any]
    """Frozen dataclass of its settings, each with a default: the section of a trial that is named
    after the detector. No two detectors share one."""

    build: str
    """`module:function` that builds it (`training.detection.detector.BuildDetector`), imported only
    where a detector is trained, because it needs torch."""

    encoder_blocks: tuple[str, ...] = ()
    """Settings of its section that name vision transformer blocks; the encoder must have them."""

    reads_cnn: bool = False
    """Whether it can also read a convolutional network."""

    iterations: int | str = "decoder.iterations"
    """Training iterations: a number, or the setting that gives it (`section.name`)."""

    unread: frozenset[str] = frozenset()
    """Sections of a trial that it does not read, such as `decoder`, besides other detectors'
    sections. Trials that differ only there are equal. Part of digest scheme 2: never changes."""

    maps: MapSpec = field(default_factory=MapSpec)

    counted: str = ""
    """`module:function` that counts its work and memory (`training.detection.work.CountDetector`),
    imported only where costs are compared; no torch. Empty: they are unknown, so it is never
    preferred as the cheaper one, and no search can use `cost/train_gflop`."""

    network: str = ""
    """`module:function` that builds the trained detector for use
    (`models.inference.heads.BuildHead`), imported only where one is exported. Empty: it cannot be
    exported."""

    paper_settings: Mapping[str, Any] = field(default_factory=lambda: dict(_VIT_BASE))
    """Dotted path -> value in `reproduce --profile paper`: the detector's encoder."""

    cpu_section: Mapping[str, Any] = field(default_factory=dict)
    """Settings of its section that differ from the defaults in `reproduce --profile cpu`."""


DETECTORS: dict[str, DetectorSpec] = {
    "dinomaly": DetectorSpec(
        title="Dinomaly",
        config=DinomalyConfig,
        build="bearing_search.training.detection.dinomaly:build",
        encoder_blocks=("target_blocks",),
        maps=MapSpec(align_corners=True, smoothing_window_px=5, image_score="top_share"),
        counted="bearing_search.training.detection.work:dinomaly",
        network="bearing_search.models.inference.heads:dinomaly",
        cpu_section={"mining_ramp_iters": 70},
    ),
    "vitad": DetectorSpec(
        title="ViTAD",
        config=VitadConfig,
        build="bearing_search.training.detection.vitad:build",
        encoder_blocks=("teacher_blocks", "neck_block"),
        maps=MapSpec(align_corners=True, image_score="pooled_max"),
        counted="bearing_search.training.detection.work:vitad",
        network="bearing_search.models.inference.heads:vitad",
        paper_settings={"encoder.name": "vit_small_patch16_224.dino", "encoder.input_px": 256},
    ),
    "patchcore": DetectorSpec(
        title="PatchCore",
        config=PatchCoreConfig,
        build="bearing_search.training.detection.patchcore:build",
        counted="bearing_search.training.detection.work:patchcore",
        network="bearing_search.models.inference.memory_heads:patchcore",
        unread=frozenset({"decoder"}),
        encoder_blocks=("blocks",),
        reads_cnn=True,
        iterations=_MEMORY_ITERATIONS,
    ),
    "padim": DetectorSpec(
        title="PaDiM",
        config=PadimConfig,
        build="bearing_search.training.detection.padim:build",
        counted="bearing_search.training.detection.work:padim",
        network="bearing_search.models.inference.memory_heads:padim",
        unread=frozenset({"decoder"}),
        encoder_blocks=("blocks",),
        reads_cnn=True,
        iterations=_MEMORY_ITERATIONS,
    ),
    "subspace": DetectorSpec(
        title="SubspaceAD",
        config=SubspaceConfig,
        build="bearing_search.training.detection.subspace:build",
        counted="bearing_search.training.detection.work:subspace",
        network="bearing_search.models.inference.memory_heads:subspace",
        unread=frozenset({"decoder"}),
        encoder_blocks=("blocks",),
        iterations=_MEMORY_ITERATIONS,
        maps=MapSpec(smoothing_window_px=3, image_score="top_share"),
    ),
}
"""Name -> detector. The name is a value of a trial's `detector`, and names the section."""


def require_detector(name: str) -> None:
    """Raise ValueError, listing the known names, if the table has no such detector."""
    require(name in DETECTORS, f"detector is {name!r}; known are {', '.join(DETECTORS)}")
