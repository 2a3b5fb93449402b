from dataclasses import replace

import numpy as np
import pytest

from bearing_search.config import PostprocessConfig, PreprocessConfig, ProtocolConfig, to_plain
from bearing_search.preprocess.locate import RoiReference
from bearing_search.runtime.backends.protocol import PatchDistances
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.schema import BundleFacts, NetworkFiles, PartFacts
from bearing_search.runtime.verdict import Thresholds


def brightest(pixels):
    """A network of one layer, whose distance is the largest byte of each quarter."""
    n, side = pixels.shape[:2]
    cells = pixels.reshape(n, 2, side // 2, 2, side // 2, 3).max(axis=(2, 4, 5))
    return PatchDistances(distances=cells[:, None].astype(np.float32), own_scores=None)


@pytest.fixture
def facts(tiny_config) -> BundleFacts:
    """Two parts that are used whole, and one whose ring has to be found."""
    config = replace(
        tiny_config,
        preprocess=PreprocessConfig(geometry={"LC": "circle"}, mid_level_parts=()),
        postprocess=PostprocessConfig(image_score="max", smoothing_sigma_px=0),
        protocol=ProtocolConfig(map_px=8),
    )

    def part(name, geometry, levels):
        reference = RoiReference(
            part=name, geometry=geometry, num_samples=9, num_found=9, mean_radius_px=30.0
        )
        return PartFacts(
            network="0",
            reference=reference,
            bits=8,
            num_levels=levels,
            thresholds=Thresholds(ok=100, ng=150, rule="by hand"),
            score_tolerance=0.5,
        )

    return BundleFacts(
        format="onnx",
        precision="fp32",
        config=to_plain(config),
        networks={"0": NetworkFiles(weights="networks/0/weights.safetensors")},
        parts={"a": part("a", "none", 1), "b": part("b", "none", 2), "LC": part("LC", "circle", 1)},
        self_tests=(),
        provenance={"sweep": "first", "trial": 3, "versions": {"numpy": "2"}},
    )


@pytest.fixture
def detector(facts, tmp_path) -> Detector:
    return Detector(
        folder=tmp_path,
        facts=facts,
        config=facts.trial,
        form="onnx",
        precision="fp32",
        opened={"0": brightest},
    )
