"""Overlays: where outlines and colours lie, on a scale that belongs to the part."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bearing_search.errors import ConfigError
from bearing_search.plots.heat_map import GOOD
from bearing_search.plots.picture_table import CLIPPED
from bearing_search.prediction.file_names import FreeNames, file_stem
from bearing_search.prediction.judging import predict
from bearing_search.prediction.overlays import (
    CAPTION_PX,
    GAP_PX,
    PANEL_PX,
    REGION,
    MapScale,
    Overlays,
)
from bearing_search.prediction.overlays import _outlines as outlines
from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.runtime.verdict import Thresholds


def drawn(detector, tmp_path, files):
    (result,) = predict(detector, files, out=tmp_path / "out")
    picture = cv2.imread(str(tmp_path / "out" / result.overlay))[..., ::-1]
    return result, picture


def test_the_outline_of_a_region_lies_on_the_photograph(detector, photograph, tmp_path):
    file = photograph("dent", spot=200, at=(32, 16))
    result, picture = drawn(detector, tmp_path, [file, file.with_name("dent_b1.png")])
    assert result.overlay == "plate/dent.png"
    photo = picture[:, CAPTION_PX + GAP_PX :][:, :PANEL_PX]
    rows, columns = np.nonzero((photo == REGION).all(axis=2))
    scale = PANEL_PX / 128
    assert abs(columns.min() / scale - 32) < 1
    assert abs(columns.max() / scale - 48) < 1
    assert abs(rows.min() / scale - 16) < 1
    assert abs(rows.max() / scale - 24) < 1
    heat = picture[:, CAPTION_PX + PANEL_PX + 2 * GAP_PX :]
    # the spot (200) lies above the end of the scale (235 - 85 = 150 + 85): see below
    assert not (heat[: PANEL_PX // 2, :PANEL_PX] == CLIPPED).all(axis=2).any()


def test_the_scale_belongs_to_the_part_and_not_to_the_picture(detector):
    facts = detector.part_facts("plate")
    scale = MapScale.of_part(facts)  # median normal score 70, NG from 150
    assert (scale.low, scale.end) == (-10, 230)
    assert scale.share(np.array([[70.0, 150.0, 230.0]])).tolist() == [[1 / 3, 2 / 3, 1.0]]
    unknown = MapScale.of_part(replace(facts, normal={}))
    assert unknown.share(np.array([[0.0, 150.0]])).tolist() == [[0.0, 0.5]]
    zero = replace(facts, normal={}, thresholds=Thresholds(ok=0, ng=0, rule=""))
    assert MapScale.of_part(zero).end > MapScale.of_part(zero).low


def test_values_above_the_scale_have_a_colour_of_their_own(detector, photograph, tmp_path):
    file = photograph("dent", spot=250)
    _, picture = drawn(detector, tmp_path, [file, file.with_name("dent_b1.png")])
    heat = picture[: PANEL_PX // 2, -PANEL_PX:]
    assert (heat == CLIPPED).all(axis=2).any()


def test_no_roi_is_drawn_without_a_map_and_unreadable_not_at_all(
    detector_folder, photograph, tmp_path
):
    folder = detector_folder(("LC",))
    photograph("p/flat", shape=(200, 200))
    cut = photograph("p/cut")
    cut.write_bytes(cut.read_bytes()[:60])
    found = {one.sample: one for one in predict(folder, tmp_path / "p", out=tmp_path / "out")}
    assert found["cut"].overlay == ""
    picture = cv2.imread(str(tmp_path / "out" / found["flat"].overlay))
    assert picture.shape[1] == CAPTION_PX + GAP_PX + PANEL_PX


def test_both_edges_of_a_ring_are_outlined():
    ring = Circle(x=50, y=60, radius=30)
    assert outlines(ring, 10) == [replace(ring, radius=20), replace(ring, radius=40)]
    assert outlines(ring, 40) == [replace(ring, radius=70)]
    ellipse = Ellipse(x=5, y=6, semi_major=4, semi_minor=3, angle_deg=0)
    assert outlines(ellipse, 10) == [ellipse]
    assert outlines(None, 10) == []
    assert GOOD != REGION


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("blowhole/t004", "blowhole-t004"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "sample"),
        ("/abs/x", "abs-x"),
        ("a\\b:c*?\x00\n", "a_b_c____"),
        ("라인 1", "라인 1"),
        (".hidden", "hidden"),
        ("", "sample"),
    ],
)
def test_any_name_becomes_a_file_in_the_folder(name, stem):
    assert file_stem(name) == stem


def test_names_are_short_and_never_handed_out_twice(tmp_path):
    long = "가" * 200
    assert len(file_stem(long).encode()) <= 120
    assert file_stem(long) != file_stem(long + "나")
    names = FreeNames()
    taken = [names.take("LC", one, ".png").as_posix() for one in ("a/b", "a-b", "A-b", "a-b_2")]
    assert taken == ["LC/a-b.png", "LC/a-b_2.png", "LC/A-b_3.png", "LC/a-b_2_2.png"]


def test_overlays_mix_with_nothing_else(detector, tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="is not an empty folder"):
            Overlays.create(place, detector)
