import cv2
import pytest

from bearing_search.training.plots.curves import curves_picture

RECONSTRUCTION = {"reconstruction_loss": 1.5, "perceptual_loss": 1.0, "pixel_loss": 0.5}
PATCH = {"patch_loss": 0.3, "patch_ap": 0.6, "patch_auroc": 0.9}
DETECTOR = {"decoder_loss": 0.4}
BLUE, ORANGE = (243, 231, 219), (207, 230, 251)
"""The two tasks' shades, BGR."""


def share(file, colour):
    return (cv2.imread(str(file)) == colour).all(axis=2).mean()


@pytest.mark.parametrize(
    ("rows", "panels"),
    [
        ([RECONSTRUCTION] * 3, 1),
        ([RECONSTRUCTION, PATCH], 3),
        ([RECONSTRUCTION, PATCH, DETECTOR, DETECTOR], 4),
        ([DETECTOR], 1),
        ([{"patch_loss": 0.3}], 1),  # an epoch whose patches were all of one kind
    ],
)
def test_every_kind_of_measurement_has_a_panel(tmp_path, capfd, rows, panels):
    curves_picture(rows, tmp_path / "new/curves.png")
    height = cv2.imread(str(tmp_path / "new/curves.png")).shape[0]
    assert height == pytest.approx(110 * (0.6 + 2.4 * panels), abs=2)
    assert capfd.readouterr() == ("", "")


def test_the_epochs_of_a_task_are_shaded_in_its_colour(tmp_path):
    file = tmp_path / "curves.png"
    curves_picture([RECONSTRUCTION] * 6, file)
    assert share(file, BLUE) > 0.2
    assert share(file, ORANGE) == 0

    curves_picture([RECONSTRUCTION] * 2 + [PATCH] * 6, file)
    assert share(file, ORANGE) == pytest.approx(3 * share(file, BLUE), rel=0.15)


def test_nothing_is_drawn_of_nothing(tmp_path):
    curves_picture([], tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
