import numpy as np
import pytest

from bearing_search.config import PreprocessConfig, parse
from bearing_search.errors import DataError, RoiNotFoundError
from bearing_search.preprocess.pipeline import NoRoi, Roi, extract, fit_reference
from bearing_search.preprocess.roi_quality import roi_score
from bearing_search.preprocess.shapes import Circle
from bearing_search.preprocess.window import Window, crop, lost_regions

from .conftest import draw_ellipse, draw_ring

CONFIG = parse(PreprocessConfig, {"circle": {"ring_half_width_px": 30}})


def marks(*regions, shape=(320, 400)):
    mask = np.zeros(shape, dtype=bool)
    for rows, columns in regions:
        mask[rows, columns] = True
    return mask


def extracted(sample, reference, config) -> Roi:
    roi = extract(sample, reference, config)
    assert isinstance(roi, Roi), roi
    return roi


def test_all_levels_and_the_mask_get_the_same_crop(save):
    on_the_ring = (slice(155, 165), slice(285, 292))
    ring = draw_ring()
    sample = save("a", [ring, ring // 2, ring // 20], marks(on_the_ring))
    roi = extracted(sample, fit_reference([sample], CONFIG), CONFIG)
    half = roi.image.shape[0] // 2
    assert half in (130, 131)  # the fitted radius is 100 up to a tenth of a pixel, and 30 more
    rows, columns = np.nonzero(roi.mask)
    x, y = round(roi.shape.x) - half, round(roi.shape.y) - half
    assert (rows.min() + y, columns.min() + x) == (155, 285)
    assert roi.mask.sum() == 70
    kept = roi.image[rows, columns]
    assert (kept[:, 0] == ring[155:165, 285:292].ravel()).all()
    assert (kept[:, 2] == ring[155:165, 285:292].ravel() // 2).all()


def test_nothing_but_the_ring_is_kept(save):
    sample = save("a", [draw_ring(ground=90)])
    roi = extracted(sample, fit_reference([sample], CONFIG), CONFIG)
    assert not roi.roi_mask[130, 130]
    assert (roi.image[~roi.roi_mask] == 0).all()
    assert (roi.image[roi.roi_mask] > 0).all()
    assert roi.roi_mask.sum() == pytest.approx(np.pi * (130**2 - 70**2), rel=0.02)


def test_the_papers_words_cut_the_ring_away(save):
    config = parse(PreprocessConfig, {"circle": {"ring_half_width_px": 30, "crop_radius": "inner"}})
    sample = save("a", [draw_ring()])
    roi = extracted(sample, fit_reference([sample], config), config)
    assert roi.image.shape[0] in (141, 143)  # half side 70, so only the square's corners hold ring
    assert roi.roi_mask.mean() < 0.25


def test_marked_regions_outside_the_roi_are_counted(save):
    corner, on_the_ring = (slice(0, 4), slice(0, 5)), (slice(155, 165), slice(285, 292))
    sample = save("a", [draw_ring()], marks(corner, on_the_ring))
    roi = extracted(sample, fit_reference([sample], CONFIG), CONFIG)
    assert (roi.lost_regions, roi.lost_pixels) == (1, 20)


def test_a_region_that_is_only_cut_is_not_lost():
    mask = marks((slice(0, 2), slice(0, 2)), (slice(5, 6), slice(5, 9)), shape=(10, 10))
    lost = marks((slice(5, 6), slice(5, 7)), shape=(10, 10))
    assert lost_regions(mask, lost) == 0
    assert lost_regions(mask, mask) == 2


def test_a_crop_beyond_the_image_is_black_there_and_noted(save):
    config = parse(PreprocessConfig, {"circle": {"ring_half_width_px": 80}})
    sample = save("a", [draw_ring(ground=90)])
    roi = extracted(sample, fit_reference([sample], config), config)
    assert "larger than the image of 400x320" in roi.notes[0]
    assert not roi.roi_mask[0].any()


def test_crop_fills_what_lies_beyond_with_zeros():
    image = np.arange(12).reshape(3, 4) + 1
    assert crop(image, Window(left=-1, top=2, width=3, height=2)).tolist() == [
        [0, 9, 10],
        [0, 0, 0],
    ]
    assert not crop(image, Window(left=9, top=9, width=2, height=2)).any()


def test_a_part_without_geometry_is_used_whole(save):
    sample = save("a", [draw_ring()], part="tile")
    reference = fit_reference([sample], CONFIG)
    roi = extracted(sample, reference, CONFIG)
    assert roi.shape is None
    assert roi.roi_mask.all()
    assert roi.image.shape == (320, 400, 3)
    assert roi_score([sample], reference, CONFIG).found_share == 1.0


def test_ellipses_get_one_crop_around_the_reference_centre(save):
    samples = [save(f"v{x}", [draw_ellipse(x=x)] * 3, part="OD") for x in (196.0, 200.0, 204.0)]
    reference = fit_reference(samples, CONFIG)
    rois = [extracted(sample, reference, CONFIG) for sample in samples]
    assert {roi.image.shape for roi in rois} == {rois[0].image.shape}
    assert reference.centre == pytest.approx((200, 160), abs=0.5)
    assert all(roi.roi_mask.all() for roi in rois)


def test_a_sample_without_ring_is_an_outcome_not_a_crash(save):
    good, empty = save("a", [draw_ring()]), save("b", [np.full((320, 400), 90, np.uint8)])
    outcome = extract(empty, fit_reference([good, empty], CONFIG), CONFIG)
    assert isinstance(outcome, NoRoi)
    assert outcome.reason.startswith("LC/train/good/b: ")


def test_no_ring_on_the_whole_training_side_is_an_error_that_names_the_setting(save):
    empty = save("b", [np.full((320, 400), 90, np.uint8)])
    with pytest.raises(RoiNotFoundError, match=r"preprocess\.geometry\.LC"):
        fit_reference([empty], CONFIG)


def test_levels_and_masks_of_other_sizes_are_refused(save):
    ring = draw_ring()
    sample = save("a", [ring])
    reference = fit_reference([sample], CONFIG)
    with pytest.raises(DataError, match="levels differ in size"):
        extract(save("b", [ring, ring[:-2]]), reference, CONFIG)
    with pytest.raises(DataError, match=r"mask c_mask\.png is 390x320"):
        extract(save("c", [ring], marks(shape=(320, 390))), reference, CONFIG)


def test_sixteen_bits_and_colour_give_the_same_ring(save, tmp_path):
    ring = draw_ring()
    reference = fit_reference([save("a", [ring])], CONFIG)
    deep = save("b", [ring.astype(np.uint16) * 257])
    colour = save("c", [np.dstack([ring, ring, 255 - ring])])
    for sample in (deep, colour):
        roi = extracted(sample, reference, CONFIG)
        assert isinstance(roi.shape, Circle)
        assert roi.shape.radius == pytest.approx(100, abs=0.5)


def test_score_of_steady_settings_is_near_perfect_and_of_missing_rings_is_not(save):
    rings = [save(f"s{i}", [draw_ring(195 + i, 160, 100)]) for i in range(4)]
    reference = fit_reference(rings, CONFIG)
    score = roi_score(rings, reference, CONFIG)
    assert score.found_share == 1.0
    assert score.size_spread < 0.005
    assert score.instability_px < 0.3
    empty = [save(f"e{i}", [np.full((320, 400), 90, np.uint8)]) for i in range(4)]
    half = roi_score([*rings, *empty], reference, CONFIG, num_samples=8)
    assert half.found_share == 0.5
    nothing = roi_score(empty, reference, CONFIG)
    assert nothing.found_share == 0.0
    assert np.isnan(nothing.instability_px)
