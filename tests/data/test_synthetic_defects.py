import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.data.synthetic_defects import draw_defect


@given(st.integers(0, 10_000), st.sampled_from([0, 90, 200, 255]))
def test_a_defect_lies_inside_the_roi_is_visible_and_changes_nothing_else(seed, brightness):
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(brightness, 5, (112, 112, 3)), 0, 255).astype(np.uint8)
    allowed = np.zeros((112, 112), dtype=bool)
    allowed[20:90, 30:100] = True

    drawn, mask = draw_defect(image, allowed, rng)

    assert mask.any()
    assert not (mask & ~allowed).any()
    assert (drawn == image)[~mask].all()
    change = abs(drawn[mask].astype(float).mean() - image[mask].astype(float).mean())
    assert change > 10  # 25 grey levels are asked for; clipping at black or white may eat some
    assert mask.mean() < 0.1


def test_the_same_draw_gives_the_same_defect():
    image = np.full((64, 64, 3), 120, dtype=np.uint8)
    allowed = np.ones((64, 64), dtype=bool)
    first = draw_defect(image, allowed, np.random.default_rng(3))
    second = draw_defect(image, allowed, np.random.default_rng(3))
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()
