"""The table of detectors: all that the rest of the package knows about any of them. No torch.

Code outside the package may add to it, before a config that names the new detector is made:

    DETECTORS["flow"] = DetectorSpec(title="Flow", config=FlowConfig, build="my_flow:build")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bearing_search.config.detectors import (
    DinomalyConfig,
    PadimConfig,
    PatchCoreConfig,
    VitadConfig,
)
from bearing_search.config.fields import require
from bearing_search.config.postprocess import ImageScore

_VIT_BASE = {"encoder.name": "vit_base_patch14_reg4_dinov2.lvd142m", "encoder.input_px": 448}
_MEMORY_ITERATIONS = 9
"""The normal samples are read in eight shares, then remembered. It does not depend on how many
there are, so that the number of measurements is known before any region of interest is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSpec:
    """How a detector's distances become maps and image scores; all average their layers."""

    align_corners: bool = False
    """Whether the outermost patches lie on the corners when distances are enlarged to the input."""

    smoothing_window_px: int | None = None
    """Side of the smoothing window, which ends in zeros beyond the border. None: it reaches 4 sigma
    and mirrors at the border."""

    image_score: ImageScore = "max"
    """What `postprocess.image_score: own` stands for, unless the detector scores images itself."""

    def __post_init__(self) -> None:
        require(self.image_score != "own", "image_score is 'own'; a rule for maps is wanted here")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """A detector: its settings, how it is built and trained, and what is made of its distances."""

    title: str
    """Its name for people, as its authors spell it."""

    config: type[Any]
    """Frozen dataclass of its settings, each with a default: the section of a trial that has the
    detector's name. No other detector's."""

    build: str
    """`module:function` that makes it (`training.detection.detector.BuildDetector`), imported only
    where a detector is trained, as it needs torch."""

    encoder_blocks: tuple[str, ...] = ()
    """Settings of its section that name blocks of a vision transformer, which must have them."""

    reads_cnn: bool = False
    """Whether it can also read a convolutional network."""

    iterations: int | str = "decoder.iterations"
    """Iterations of its training: so many, or the setting that says (`section.name`)."""

    unread: frozenset[str] = frozenset()
    """Sections of a trial that it does not read, such as `decoder`, apart from those of other
    detectors. Trials that differ there alone are one. Part of digest scheme 2: it never changes."""

    maps: MapSpec = field(default_factory=MapSpec)

    trained_parameters: int = 0
    """Parameters that it trains, in units of the encoder's width squared; 0: it trains none, and
    reads each normal sample once. For the estimate of how long `reproduce` takes."""

    paper_settings: Mapping[str, Any] = field(default_factory=lambda: dict(_VIT_BASE))
    """Dotted path -> value in `reproduce --profile paper`: its encoder."""

    cpu_section: Mapping[str, Any] = field(default_factory=dict)
    """Settings of its section in `reproduce --profile cpu`, where they differ from the defaults."""


DETECTORS: dict[str, DetectorSpec] = {
    "dinomaly": DetectorSpec(
        title="Dinomaly",
        config=DinomalyConfig,
        build="bearing_search.training.detection.dinomaly:build",
        encoder_blocks=("target_blocks",),
        maps=MapSpec(align_corners=True, smoothing_window_px=5, image_score="top_share"),
        trained_parameters=8 * 12 + 8,
        cpu_section={"mining_ramp_iters": 70},
    ),
    "vitad": DetectorSpec(
        title="ViTAD",
        config=VitadConfig,
        build="bearing_search.training.detection.vitad:build",
        encoder_blocks=("teacher_blocks", "neck_block"),
        maps=MapSpec(align_corners=True, image_score="pooled_max"),
        trained_parameters=9 * 12,
        paper_settings={"encoder.name": "vit_small_patch16_224.dino", "encoder.input_px": 256},
    ),
    "patchcore": DetectorSpec(
        title="PatchCore",
        config=PatchCoreConfig,
        build="bearing_search.training.detection.patchcore:build",
        unread=frozenset({"decoder"}),
        encoder_blocks=("blocks",),
        reads_cnn=True,
        iterations=_MEMORY_ITERATIONS,
    ),
    "padim": DetectorSpec(
        title="PaDiM",
        config=PadimConfig,
        build="bearing_search.training.detection.padim:build",
        unread=frozenset({"decoder"}),
        encoder_blocks=("blocks",),
        reads_cnn=True,
        iterations=_MEMORY_ITERATIONS,
    ),
}
"""Name -> detector: what `detector` may be in a trial, and the name of the detector's section."""


def require_detector(name: str) -> None:
    """Raise ValueError, which lists the known names, unless the table has that detector."""
    require(name in DETECTORS, f"detector is {name!r}; known are {', '.join(DETECTORS)}")
