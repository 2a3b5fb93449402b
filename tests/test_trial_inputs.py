"""A trial scores what was photographed, however the files hold it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile

from bearing_search.config import TrialConfig
from bearing_search.errors import DataError
from bearing_search.measurement import OBJECTIVE, TrialContext
from bearing_search.session.inputs import with_bits
from bearing_search.trial import run_final, run_trial


@pytest.fixture
def scored(tmp_path, tiny_config):
    """Runs a trial on a data set; returns what it measured, but for the cost."""

    def run(data, trial=run_trial, *, bits=None, **preprocess):
        config = replace(tiny_config, preprocess=replace(tiny_config.preprocess, **preprocess))
        name = f"{data.name}-{len(list(tmp_path.iterdir()))}"
        context = TrialContext(
            data=data, folder=tmp_path / name, cache=tmp_path / "cache", bits=bits or {}
        )
        return [
            {name: v for name, v in m.values.items() if not name.startswith("cost/")}
            for m in trial(config, context)
        ]

    return run


def pictures(data):
    return [file for file in data.rglob("*.png") if "ground_truth" not in file.parts]


def to_12_bits(data):
    for file in pictures(data):
        cv2.imwrite(str(file), cv2.imread(str(file), cv2.IMREAD_UNCHANGED).astype(np.uint16) * 16)


@pytest.mark.slow
def test_12_bits_in_16_give_the_numbers_of_8(make_set, scored):
    eight, twelve = make_set(name="eight"), make_set(name="twelve")
    to_12_bits(twelve)
    first = scored(eight)
    assert scored(twelve) == first
    assert scored(twelve, bits={"plate": 12}) == first
    assert scored(eight, run_final) == scored(twelve, run_final)


@pytest.mark.slow
def test_pages_give_the_numbers_of_level_files(make_set, scored):
    named, paged = make_set(name="named"), make_set(name="paged")
    for first in [file for file in pictures(paged) if file.stem.endswith("_b0")]:
        files = [first.with_name(first.name.replace("_b0", f"_b{n}")) for n in range(3)]
        pages = np.stack([cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files])
        target = first.with_name(first.name.replace("_b0.png", ".tif"))
        tifffile.imwrite(target, pages, photometric="minisblack", metadata=None)
        for file in files:
            file.unlink()
    assert scored(paged) == scored(named)


@pytest.mark.slow
def test_of_four_levels_the_chosen_ones_count(make_set, scored):
    three, four = make_set(name="three"), make_set(name="four", levels=4)
    for data in (three, four):
        for file in pictures(data):
            if file.stem.endswith("_b3"):
                cv2.imwrite(str(file), np.zeros((80, 80), np.uint8))
    with pytest.raises(DataError, match="plate: has 4 brightness levels"):
        scored(four)
    first = scored(three)
    assert scored(four, levels=(0, 1, 2)) == first
    fused = scored(four, levels=("mean", "std", "ratio"))
    assert fused != first
    assert OBJECTIVE in fused[-1]


def test_the_weights_of_an_evaluation_lie_beside_the_depth_of_their_part():
    config = TrialConfig()
    assert with_bits(config, {}) is config
    assert with_bits(config, {"OD": 16}) is config
    assert with_bits(config, {"LC": 12, "OD": 16}).preprocess.bits == {"LC": 12}
    own = replace(config, preprocess=replace(config.preprocess, bits={"LC": 14}))
    assert with_bits(own, {"LC": 12}).preprocess.bits == {"LC": 14}
