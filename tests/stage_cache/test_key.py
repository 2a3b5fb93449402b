import random
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.stage_cache.key import STAGES_VERSION, StageKey, stage_key

LEAVES = st.one_of(st.booleans(), st.integers(-5, 5), st.floats(-2, 2), st.text(max_size=3))
SETTINGS = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.one_of(LEAVES, st.lists(LEAVES, max_size=3), st.dictionaries(st.text("xy"), LEAVES)),
    min_size=1,
    max_size=4,
)


def made(**changes) -> StageKey:
    facts: dict[str, Any] = {
        "stage": "encoder",
        "settings": {"epochs": 3, "layers": [11, 12]},
        "inputs": {"pixels": "abc"},
        "seed": 0,
        "compute": "cpu fp32",
        "version": 1,
    }
    return stage_key(**(facts | changes))


@given(settings=SETTINGS, order=st.randoms(use_true_random=False))
def test_a_key_does_not_depend_on_the_order_of_the_settings(settings, order):
    def shuffled(value):
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        order.shuffle(items)
        return {name: shuffled(inner) for name, inner in items}

    assert made(settings=shuffled(settings)) == made(settings=settings)
    assert made(settings=shuffled(settings)).digest == made(settings=settings).digest


@given(settings=SETTINGS, other=SETTINGS)
def test_other_settings_have_another_key(settings, other):
    is_same = repr_of(settings) == repr_of(other)
    assert (made(settings=settings).digest == made(settings=other).digest) == is_same


@given(settings=SETTINGS, seed=st.integers(0, 9))
def test_a_change_deep_inside_is_seen(settings, seed):
    changed = deepcopy(settings)
    name = random.Random(seed).choice(sorted(changed))
    changed[name] = [changed[name]]
    assert made(settings=changed).digest != made(settings=settings).digest


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "detector"},
        {"settings": {"epochs": 3, "layers": [12, 11]}},
        {"settings": {"epochs": 3.0, "layers": [11, 12]}},
        {"inputs": {"pixels": "abd"}},
        {"inputs": {"encoder": "abc"}},
        {"seed": 1},
        {"compute": "cuda fp32"},
        {"version": 2},
    ],
)
def test_everything_that_moves_numbers_moves_the_key(change):
    assert made(**change).digest != made().digest


def test_a_key_is_the_one_that_stored_stages_are_named_by():
    facts = {"b": 1.0, "a": [1, True, None, "링"], "c": {"z": 1, "y": 2e-5}}
    assert StageKey("encoder", facts).digest == "9e46a12e7397b647bbfa2816576ac682"


def test_the_version_of_a_stage_is_its_codes():
    current = STAGES_VERSION["encoder"]
    assert made(version=None) == made(version=current)
    assert made(version=None) != made(version=current + 1)


def test_tuples_are_lists_and_nan_is_no_setting():
    assert made(settings={"layers": (11, 12)}) == made(settings={"layers": [11, 12]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        made(settings={"lr": float("nan")})


def repr_of(value) -> str:
    """Tells 1, 1.0 and True apart, which are equal to Python."""
    if isinstance(value, dict):
        return repr(sorted((name, repr_of(inner)) for name, inner in value.items()))
    return repr(value)
