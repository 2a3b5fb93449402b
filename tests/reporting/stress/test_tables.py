from dataclasses import replace

import cv2
import numpy as np

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.operating_points import OperatingPoint
from bearing_search.analysis.operating.stress import StressedPart
from bearing_search.preprocess.stress.names import DENT_ANGLES
from bearing_search.reporting.stress.plot import stress_png
from bearing_search.reporting.stress.tables import place_sentence, stress_lines, thresholds_of


def part(name: str, light: str) -> StressedPart:
    return StressedPart(
        part=name,
        scores={
            "unchanged": {"s0": 1.0, "s1": 2.0},
            light: {"s0": 5.0, "s1": 6.0},
            "blur 1 px": {"s1": 1.0},
            **{dent: {"s0": 1.5 + angle / 90} for dent, angle in DENT_ANGLES.items()},
        },
    )


def point(name: str, threshold: float) -> OperatingPoint:
    return OperatingPoint(
        part=name,
        rule="finds all",
        threshold=threshold,
        found=rate_interval(1, 2),
        false_alarms=rate_interval(0, 2),
    )


LC, OD = part("LC", "highlight +90 deg"), part("OD", "side light 0 deg")
POINTS = [point("LC", 4.0), point("OD", 10.0)]


def test_false_alarms_stand_by_change_at_the_thresholds_of_the_part():
    page = "\n".join(stress_lines([LC, OD], POINTS))
    assert "| part | | unchanged | highlight +90 deg | blur 1 px |" in page
    assert "| part | | unchanged | side light 0 deg | blur 1 px |" in page
    assert "| LC | median score | 1.5 | 5.5 | 1 |" in page
    assert "| LC | flagged at 4 | 0 of 2 | 2 of 2 | 0 of 1 (1 no ROI) |" in page
    assert "| OD | flagged at 10 | 0 of 2 | 0 of 2 | 0 of 1 (1 no ROI) |" in page


def test_dents_stand_by_angle_with_the_spread_of_their_scores():
    page = "\n".join(stress_lines([LC], POINTS))
    assert "| part | | 0 deg | 45 deg | 90 deg | 135 deg |" in page
    row = next(line for line in page.splitlines() if "flagged at 4" in line and "1 of 1" in line)
    assert row.count("0 of 1") == 5  # from 1.5 to 3.5
    assert row.count("1 of 1") == 3
    assert place_sentence(LC) == (
        "LC: median score 1.5 (at 0 deg) to 5 (at 315 deg), 1.5 without a dent; 0 of 8 dents score "
        "no higher than the same part without one."
    )


def test_without_a_stress_set_nothing_is_said():
    assert stress_lines([], POINTS) == []


def test_without_thresholds_scores_are_shown_all_the_same():
    assert "| LC | median score |" in "\n".join(stress_lines([LC], []))


def test_the_plot_has_a_row_per_part():
    content = np.frombuffer(stress_png([LC, OD], POINTS), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (round(2 * 3.4 * 110), round(10.5 * 110))
    upper, lower = np.split(picture, 2)
    assert upper.std() > 5
    assert lower.std() > 5


def test_rules_with_one_threshold_share_its_row():
    both = [*POINTS, replace(POINTS[0], rule="best F1"), replace(POINTS[0], threshold=5.0)]
    assert thresholds_of("LC", both) == {4.0: "finds all; best F1", 5.0: "finds all"}
    rows = [line for line in stress_lines([LC], both) if "flagged at" in line]
    assert len(rows) == 2 * 2
