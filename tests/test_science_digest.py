import json

import pytest

from bearing_search.science_digest import NOT_SCIENCE, PACKAGE, RECORD, SCIENCE, current, digest


def test_code_that_moves_numbers_was_looked_at():
    recorded, now = json.loads(RECORD.read_text()), current()
    changed = [
        name
        for name in sorted({*recorded["modules"], *now["modules"]})
        if recorded["modules"].get(name) != now["modules"].get(name)
    ]
    assert not changed, (
        f"{', '.join(changed)}: changed, and scores depend on it. If numbers move, raise the "
        "stage's number in STAGES_VERSION (stage_cache/key.py). Then, in either case, run\n"
        "    python -m bearing_search.science_digest\n"
        "and commit what it writes."
    )
    assert recorded["stages"] == now["stages"], "run python -m bearing_search.science_digest"


CODE = """
'''A module.'''
LIMIT = 3
'''What it may not exceed.'''


def f(x: int) -> int:
    '''Twice.'''
    return 2 * x  # not thrice
"""


def test_what_a_module_does_counts_and_how_it_is_written_does_not():
    same = "LIMIT=3\ndef f(x:int)->int:\n  return (2*x)\n"
    assert digest(CODE) == digest(same)
    for change in (
        ("2 *", "3 *"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("f(x", "f(y"),
        ("2 * x", "x * 2"),
    ):
        assert digest(CODE.replace(*change)) != digest(CODE), change


def test_a_string_that_is_used_counts():
    assert digest("x = 'a'") != digest("x = 'b'")


def test_what_cannot_move_a_score_is_not_looked_at():
    modules = set(current()["modules"])
    assert {
        "trial.py",
        "config/fields.py",
        "data/split.py",
        "preprocess/circle/fit.py",
        "models/optim.py",
        "evaluation/metrics.py",
        "training/folds/run_fold.py",
        "stage_cache/key.py",
        "filesystem/digest.py",
    } <= modules
    assert (
        not {
            "data/demo/dents.py",
            "preprocess/report/drawing.py",
            "training/plots/curves.py",
            "stage_cache/eviction.py",
            "filesystem/atomic.py",
        }
        & modules
    )


@pytest.mark.parametrize("folder", [*SCIENCE, *NOT_SCIENCE])
def test_the_places_exist(folder):
    assert (PACKAGE / folder).exists()


SETTINGS = """
from bearing_search.config.fields import AT_LEAST_1, OpenChoice, config_field

_WINDOW = OpenChoice("SSIM window", "7 tokens", source="Wang et al. 2004")


class Config:
    window: int = config_field(
        7, AT_LEAST_1, "tokens", paper="3.2", seen_by="plan", open_choice=_WINDOW
    )
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"tokens"', '"patches"'),
        ('"tokens"', 'unit="tokens"'),
        (' "tokens",', ""),
        (' paper="3.2",', ""),
        ("3.2", "3.2, eq. 3"),
        ("open_choice=_WINDOW", 'open_choice=OpenChoice("window", "7")'),
        ("Wang et al.", "Wang"),
        ("_WINDOW", "_SSIM_WINDOW"),
        ('"SSIM window", "7 tokens", source="Wang et al. 2004"', '"window", choice="7"'),
        ("OpenChoice, ", ""),
    ],
)
def test_what_settings_say_to_people_does_not_count(old, new):
    assert old in SETTINGS
    assert digest(SETTINGS.replace(old, new)) == digest(SETTINGS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("7,", "9,"),
        ("AT_LEAST_1", "ODD"),
        ('seen_by="plan"', 'seen_by="end"'),
        (', seen_by="plan"', ""),
        ("window: int", "ssim_window: int"),
        ("OpenChoice(", "print("),  # what is no open choice counts
        ("config_field(", "field("),  # and so does what other calls are given
    ],
)
def test_what_settings_are_counts(old, new):
    assert old in SETTINGS
    assert digest(SETTINGS.replace(old, new)) != digest(SETTINGS)
