import json

from bearing_search.science_digest import RECORD, current, digest


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
