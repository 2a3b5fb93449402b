import json
from pathlib import Path

import pytest

from bearing_search.config import PreprocessConfig
from bearing_search.data.samples import Sample
from bearing_search.preprocess.pipeline import Roi, extract, fit_reference
from bearing_search.preprocess.shapes import Circle

RINGS = Path(__file__).parents[2] / ".." / "shared" / "data" / "rings"


@pytest.mark.skipif(not RINGS.is_dir(), reason="the real rings are not on this machine")
@pytest.mark.parametrize(("part", "view"), [("LC", "top"), ("SC", "bottom")])
def test_real_rings_are_found_within_two_pixels_and_one_percent(part, view):
    truth = json.loads((RINGS / "circles.json").read_text())
    samples = [
        Sample(
            part=part,
            split="train",
            defect="good",
            name=file.stem,
            group=file.stem,
            is_anomalous=False,
            level_files=(file,),
        )
        for file in sorted((RINGS / view).glob("*.png"))[:4]
    ]
    config = PreprocessConfig()
    reference = fit_reference(samples, config)
    for sample in samples:
        roi = extract(sample, reference, config)
        assert isinstance(roi, Roi)
        assert isinstance(roi.shape, Circle)
        outer = truth[f"{view}/{sample.name}.png"]["outer"]
        assert (roi.shape.x, roi.shape.y) == pytest.approx((outer["cx"], outer["cy"]), abs=2)
        assert roi.shape.radius == pytest.approx(outer["r"], rel=0.01)
