"""Detectors of a graph made by hand, run by ONNX Runtime: the score is the largest byte."""

from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bearing_search.config import PostprocessConfig, PreprocessConfig, ProtocolConfig, to_plain
from bearing_search.preprocess.locate import RoiReference
from bearing_search.runtime.backends.protocol import DISTANCES, INPUT
from bearing_search.runtime.detector import load_detector
from bearing_search.runtime.schema import BundleFacts, NetworkFiles, PartFacts, write_facts
from bearing_search.runtime.verdict import Thresholds

CELL_PX = 4


def brightest(side):
    """Graph: bytes (n s s 3) -> the largest byte of each cell of 4x4 pixels (n 1 s/4 s/4)."""
    nodes = [
        helper.make_node("Cast", [INPUT], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "MaxPool", ["planes"], ["cells"], kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2
        ),
        helper.make_node("Slice", ["cells", "first", "second", "axis"], [DISTANCES]),
    ]
    bounds = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("first", 0), ("second", 1), ("axis", 1))
    ]
    grid = side // CELL_PX
    graph = helper.make_graph(
        nodes,
        "brightest",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", side, side, 3])],
        [helper.make_tensor_value_info(DISTANCES, TensorProto.FLOAT, ["n", 1, grid, grid])],
        bounds,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def part(name, geometry, num_levels):
    return PartFacts(
        network="0",
        reference=RoiReference(
            part=name, geometry=geometry, num_samples=9, num_found=9, mean_radius_px=60.0
        ),
        bits=8,
        num_levels=num_levels,
        thresholds=Thresholds(ok=100, ng=150, rule="by hand"),
        score_tolerance=0.5,
        normal={
            "score": (60.0, 61.0, 65.0, 70.0, 75.0, 79.0, 80.0),
            "brightness": (20.0, 21.0, 25.0, 40.0, 55.0, 59.0, 60.0),
        },
    )


@pytest.fixture
def detector_folder(tiny_config, tmp_path):
    """A folder as `export` writes it: part `plate`, used whole, with two levels."""

    def write(parts=("plate",), num_levels=2):
        config = replace(
            tiny_config,
            preprocess=PreprocessConfig(geometry={"LC": "circle"}, mid_level_parts=()),
            postprocess=PostprocessConfig(image_score="max", smoothing_sigma_px=0),
            protocol=ProtocolConfig(map_px=16),
        )
        folder = tmp_path / "detector"
        (folder / "networks" / "0").mkdir(parents=True)
        onnx.save(brightest(config.encoder.input_px), folder / "networks" / "0" / "model.onnx")
        (folder / "networks" / "0" / "weights.safetensors").write_bytes(b"")
        files = NetworkFiles(
            weights="networks/0/weights.safetensors", graph="networks/0/model.onnx"
        )
        facts = BundleFacts(
            format="onnx",
            precision="fp32",
            config=to_plain(config),
            networks={"0": files},
            parts={
                name: part(name, "circle" if name == "LC" else "none", num_levels) for name in parts
            },
            self_tests=(),
            provenance={},
        )
        write_facts(folder, facts)
        return folder

    return write


@pytest.fixture
def detector(detector_folder):
    return load_detector(detector_folder())


@pytest.fixture
def photograph(tmp_path):
    """Writes a sample of several levels: a grey plate with a bright square."""

    def write(name, *, spot=0, at=(32, 16), background=40, levels=2, shape=(64, 128)):
        for level in range(levels):
            pixels = np.full(shape, background, dtype=np.uint8)
            x, y = at
            pixels[y : y + 8, x : x + 16] = max(spot, background)
            file = tmp_path / f"{name}_b{level}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(file), pixels)
        return tmp_path / f"{name}_b0.png"

    return write
