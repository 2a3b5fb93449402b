"""Pictures on disk -> rows, by ONNX Runtime; the score is the largest byte of brightness 0."""

import gc
import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile

import bearing_search
from bearing_search.errors import ConfigError, DataError
from bearing_search.prediction.judging import is_shown, predict
from bearing_search.prediction.light import light_flaw, light_range
from bearing_search.prediction.pixel_limit import size_flaw
from bearing_search.prediction.regions import largest_region
from bearing_search.prediction.results import COLUMNS
from bearing_search.runtime.verdict import Verdict


def words(results):
    return {one.sample: one.word for one in results}


def test_each_sample_gets_a_row_and_its_largest_region_lies_in_the_original(
    detector, photograph, tmp_path
):
    photograph("pictures/normal")
    photograph("pictures/dent", spot=200, at=(32, 16))
    photograph("pictures/doubt", spot=120)
    found = {one.sample: one for one in predict(detector, tmp_path / "pictures")}
    assert {name: one.word for name, one in found.items()} == {
        "dent": "NG",
        "doubt": "re-inspect",
        "normal": "OK",
    }
    dent = found["dent"]
    assert (dent.score, dent.margin, dent.part) == (200, 50, "plate")
    # 128x64 pixels on a map of 16: 8 columns and 4 rows of the original each
    region = dent.region
    assert (region.left, region.top, region.width, region.height) == (32, 16, 16, 8)
    assert (region.x, region.y, region.area_px) == (39.5, 19.5, 128)
    assert found["normal"].region is None
    assert found["doubt"].region.area_px == 128  # at the lower threshold
    assert all(one.seconds > 0 for one in found.values())
    row = dent.as_row()
    assert tuple(row) == COLUMNS
    assert (row["verdict"], row["region_left"], row["roi_kind"]) == ("NG", 32, "whole")
    json.dumps(dent.as_json(), allow_nan=False)


def test_what_cannot_be_judged_is_never_ok_and_the_others_go_on(detector, photograph, tmp_path):
    photograph("p/good")
    photograph("p/black", background=0)
    photograph("p/white", background=255)
    photograph("p/alone", levels=1)
    photograph("p/three", levels=3)
    (photograph("p/gap", levels=3).parent / "gap_b1.png").unlink()
    cut = photograph("p/cut")
    cut.write_bytes(cut.read_bytes()[:60])
    cv2.imwrite(str(photograph("p/sizes")), np.full((9, 9), 40, np.uint8))
    cv2.imwrite(str(photograph("p/deep")), np.full((64, 128), 999, np.uint16))
    twin = photograph("p/twin")
    twin.with_suffix(".bmp").write_bytes(twin.read_bytes())
    for level in range(2):
        file = tmp_path / "p" / f"nan_b{level}.tif"
        tifffile.imwrite(file, np.full((64, 128), np.nan, np.float32))
    found = list(predict(detector, tmp_path / "p"))
    assert words(found) == {
        "good": "OK",
        "black": "wrong light",
        "white": "wrong light",
        "alone": "wrong levels",
        "three": "wrong levels",
        "gap": "wrong levels",
        "cut": "unreadable",
        "sizes": "unreadable",
        "deep": "unreadable",
        "twin": "unreadable",
        "nan": "unreadable",
    }
    for one in found:
        assert bool(one.reason) == (not one.is_judged)
        assert "\n" not in one.reason
    reasons = {one.sample: one.reason for one in found}
    assert "gap_b1: not found next to gap_b0.png" in reasons["gap"]
    assert "has 3 brightness levels; plate was trained with 2" in reasons["three"]
    assert "float32" in reasons["nan"]
    assert "mean grey level 255, far outside the 20 to 60" in reasons["white"]


def test_a_ring_that_is_not_found_is_no_roi(detector_folder, photograph, tmp_path):
    photograph("LC/x", shape=(200, 200))
    (found,) = predict(detector_folder(("LC", "plate")), tmp_path / "LC")
    assert (found.word, found.score, found.window) == ("no ROI", None, None)


def test_a_picture_of_400_megapixels_is_refused_by_its_header(detector, tmp_path):
    header = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + (20_000).to_bytes(4, "big") * 2
    for level in range(2):
        # bit depth 8, grey; a wrong checksum ends nothing before the pixels
        (tmp_path / f"big_b{level}.png").write_bytes(
            _with_checksum(header + bytes([8, 0, 0, 0, 0])) + b"\0\0\0\0IDAT"
        )
    (found,) = predict(detector, [str(tmp_path / "big_b*.png")])
    assert found.word == "unreadable"
    assert "above the 100 megapixels that are judged" in found.reason
    assert size_flaw(tmp_path / "nothing.png") == ""


def _with_checksum(png):
    import zlib

    return png + zlib.crc32(png[12:]).to_bytes(4, "big")


def test_light_is_compared_with_the_training_samples():
    normal = {"brightness": (100.0, 102.0, 110.0, 120.0, 130.0, 138.0, 140.0)}
    assert light_range(normal) == (80, 160)
    assert light_range({"brightness": (50.0, 51.0)}) == (42, 59)  # never narrower
    # neither black nor saturated pictures, however dark or bright the part
    assert light_range({"brightness": (4.0, 250.0)}) == (2, 252.5)
    assert light_range({}) is None
    assert light_flaw(80, normal) == light_flaw(160, normal) == light_flaw(0, {}) == ""
    assert "mean grey level 79" in light_flaw(79, normal)
    assert "mean grey level 161" in light_flaw(161, normal)


def test_the_box_of_a_region_ends_where_the_picture_ends(detector, photograph):
    file = photograph("edge", spot=200, at=(112, 56))
    verdict = detector.judge([file, file.with_name("edge_b1.png")], "plate")
    window = replace(verdict.window, left=-4, top=8)
    assert verdict.picture_px == (128, 64)
    moved = replace(verdict, window=window, picture_px=(120, 68))
    region = largest_region(moved)
    assert (region.left, region.top, region.width, region.height) == (108, 64, 12, 4)
    assert largest_region(replace(verdict, thresholds=None)) is None


def test_only_scored_pixels_make_a_region(detector, photograph):
    file = photograph("edge", spot=200)
    verdict = detector.judge([file, file.with_name("edge_b1.png")], "plate")
    nothing = np.zeros((16, 16), dtype=bool)
    assert largest_region(replace(verdict, region=nothing)) is None


def test_loading_is_in_no_samples_time(detector, photograph, tmp_path):
    photograph("p/x")
    running = predict(detector, tmp_path / "p")
    assert len(running) == 1
    assert running.load_s == 0
    list(running)
    first = running.load_s
    assert first > 0
    list(running)
    assert running.load_s == first


def test_nothing_is_kept_of_samples_that_are_done(detector, photograph):
    file = photograph("x")
    running = predict(detector, [file, file.with_name("x_b1.png")])
    (one,) = running.inputs.samples
    many = replace(running, inputs=replace(running.inputs, samples=(one,) * 12))
    alive = []
    for number, result in enumerate(many):
        assert result.word == "OK"
        if number in (2, 11):
            alive.append(sum(type(found) is Verdict for found in gc.get_objects()))
    assert alive[1] <= alive[0] <= 1


@pytest.mark.parametrize(("only", "shown"), [("", 3), ("ng", 1), ("not-ok", 2)])
def test_only_some_are_shown(detector, photograph, tmp_path, only, shown):
    photograph("p/a")
    photograph("p/b", spot=200)
    photograph("p/c", levels=1)
    found = list(predict(detector, tmp_path / "p", only=only))
    assert sum(is_shown(one, only) for one in found) == shown
    with pytest.raises(ConfigError, match="only is 'ok'; wanted ng or not-ok"):
        predict(detector, tmp_path / "p", only="ok")


def test_no_torch_ray_optuna_or_mlflow_is_loaded(detector_folder, photograph, tmp_path):
    photograph("p/b", spot=200)
    code = (
        "import sys, json\n"
        "from bearing_search.cli import main\n"
        f"status = main(['predict', {str(detector_folder())!r}, {str(tmp_path / 'p')!r},"
        f" '--out', {str(tmp_path / 'out')!r}])\n"
        "print(json.dumps([status, sorted({n.split('.')[0] for n in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert (tmp_path / "out" / "plate" / "b.png").is_file()
    assert "onnxruntime" in modules
    absent = {"torch", "torchvision", "timm", "ray", "optuna", "mlflow", "pandas", "scipy"}
    assert absent.isdisjoint(modules)


def test_predict_is_part_of_the_public_api(detector, photograph, tmp_path):
    photograph("p/a")
    assert [one.word for one in bearing_search.predict(detector, tmp_path / "p")] == ["OK"]
    with pytest.raises(DataError, match="holds no image"):
        bearing_search.predict(detector, tmp_path / "detector")
