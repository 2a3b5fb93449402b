"""Names and texts for MLflow, against its own checks where those can be had without a store."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.tracking.names import (
    MAX_NAME,
    MAX_PARAM,
    MAX_TAG,
    allowed,
    cut_names,
    param_text,
    tag_text,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/LC/fold0/pixel_aupro", "val/LC/fold0/pixel_aupro"),
        ("val/링 A-1.b/x", "val/링 A-1.b/x"),
        ("val/A+B/x", "val/A:2b:B/x"),
        ("val/A_B/x", "val/A_B/x"),
        ("val/A:2b:B/x", "val/A:3a:2b:3a:B/x"),
        ("val/링 (1)/x", "val/링 :28:1:29:/x"),
        ("val/../x", "val/:2e::2e:/x"),
        ("/x/", "::/x/::"),
    ],
)
def test_a_name_keeps_what_mlflow_allows_and_shows_the_rest(name, expected):
    assert allowed(name) == expected


def test_a_name_that_is_too_long_ends_with_its_digest():
    long = "val/" + "x" * 300
    assert len(allowed(long)) == MAX_NAME
    assert allowed(long) != allowed(long + "y")
    assert cut_names([long, "val/A+B", "short"]) == {allowed(long): long}


_NAMES = st.text(st.sampled_from("aA_+:/. 2b-é"), min_size=1, max_size=12)


@given(_NAMES, _NAMES)
def test_no_two_names_become_one(first, second):
    assert (allowed(first) == allowed(second)) is (first == second)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # MLflow's own, of its many dependencies
def test_mlflow_accepts_every_name():
    from mlflow.utils.validation import _validate_metric_name, _validate_tag_name

    @given(st.one_of(_NAMES, st.text(min_size=1, max_size=400)))
    def accepts(name):
        _validate_metric_name(allowed(name))
        _validate_tag_name(allowed(name))
        assert len(allowed(name)) <= MAX_NAME

    accepts()


def test_a_long_parameter_stays_json_and_no_two_are_the_same():
    long, other = ["가" * 10] * 700, ["가" * 10] * 701
    assert json.loads(param_text(["가", 1e-5])) == ["가", 1e-5]
    assert param_text("가") == '"가"'
    for value in (long, [chr(34)] * 6000):
        assert len(param_text(value)) <= MAX_PARAM
    cut = json.loads(param_text(long))
    assert (cut["in"], len(cut["sha256"])) == ("params.json", 64)
    assert cut != json.loads(param_text(other))


def test_a_long_tag_is_cut_where_it_says_so():
    assert tag_text("x" * MAX_TAG) == "x" * MAX_TAG
    cut, other = tag_text("x" * MAX_TAG + "y"), tag_text("x" * MAX_TAG + "z")
    assert len(cut) == MAX_TAG
    assert " ... (cut, sha256 " in cut
    assert cut != other


def test_what_no_database_stores_is_written_out():
    assert tag_text("a\0b\ud800c") == "a\\x00b\\ud800c"
    assert param_text("\ud800") == '"\\ud800"'
    assert allowed("part\udc80") == "part:dc80:"
