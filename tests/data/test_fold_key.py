import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.data.fold_key import TOGETHER, FoldKey
from bearing_search.data.layouts.folders import check_part_name

FOLDS = st.integers(0, 10**6) | st.just("all")
PART_NAMES = st.from_regex(r"[^\W.][\w.+ -]*", fullmatch=True)


@pytest.mark.parametrize(
    ("key", "part", "fold"),
    [
        ("LC/fold0", "LC", 0),
        ("LC/fold12", "LC", 12),
        ("LC/all", "LC", "all"),
        ("all/fold0", TOGETHER, 0),
        ("all/all", TOGETHER, "all"),
        ("fold0/fold1", "fold0", 1),
        ("outer ring-2.b+c_/all", "outer ring-2.b+c_", "all"),
        ("내륜 1/fold0", "내륜 1", 0),
    ],
)
def test_a_key_is_read_as_it_is_written(key, part, fold):
    assert FoldKey.parse(key) == FoldKey(part, fold)
    assert str(FoldKey(part, fold)) == key


@given(part=PART_NAMES, fold=FOLDS)
def test_every_name_that_a_data_set_may_give_a_part_survives(part, fold):
    check_part_name(part, "data")
    assert FoldKey.parse(str(FoldKey(part, fold))) == FoldKey(part, fold)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "LC",
        "LC/",
        "/fold0",
        "LC/fold",
        "LC/fold-1",
        "LC/fold01",
        "LC/fold٣",
        "LC/1",
        "a/b/fold0",
    ],
)
def test_what_is_no_key_says_what_one_looks_like(key):
    with pytest.raises(ValueError, match="wanted <part>/fold<number> or <part>/all"):
        FoldKey.parse(key)


@pytest.mark.parametrize(("part", "fold"), [("", 0), ("a/b", 0), ("LC", -1)])
def test_a_key_that_could_not_be_read_back_cannot_be_made(part, fold):
    with pytest.raises(ValueError, match="a part name without /"):
        FoldKey(part, fold)
