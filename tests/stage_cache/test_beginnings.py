"""What is dropped when a sweep has all its trials, and what stays."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.stage_cache.beginnings import drop_beginnings
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.stage_cache.key import StageKey

OURS, OTHER = "one/trials/00000", "one/trials/00001"
ELSEWHERE = "two/trials/00000"


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "stages"


@pytest.fixture
def cache(root) -> Iterator[StageCache]:
    with closing(StageCache(root)) as opened:
        yield opened


def make(root: Path, name: str, *users: str, is_done: bool = True) -> None:
    """An entry `stage/name` of some trials, whose processes have ended."""
    with closing(StageCache(root)) as cache:
        for user in users:
            with cache.claim(StageKey(name.partition("/")[0], {"n": name}), user=user) as entry:
                if not entry.is_done:
                    (entry.folder / "output").write_bytes(b"weights")
                    if is_done:
                        cache.finish(entry)


def dropped(root: Path, *, over: tuple[str, ...] = ("one",), **options) -> set[str]:
    """`stage/name` of what is deleted; it is gone afterwards, and nothing else is."""
    before = {entry.name for entry in list_entries(root)}
    options = {"may_share_encoders": False} | options
    gone = drop_beginnings(root, is_over=lambda sweep: sweep in over, **options)
    assert {entry.name for entry in list_entries(root)} == before - {entry.name for entry in gone}
    assert not list((root / "trash").glob("*"))
    return {entry.stage for entry in gone}


def test_what_only_leads_to_distances_is_dropped_and_the_rest_stays(root):
    for stage in ("features", "tuning", "encoder", "detector", "distances"):
        make(root, f"{stage}/1", OURS)
    assert dropped(root) == {"tuning", "encoder", "detector"}
    assert dropped(root) == set()


def test_what_several_trials_have_used_stays_unless_it_only_leads_further(root):
    for stage in ("features", "tuning", "encoder", "detector", "distances"):
        make(root, f"{stage}/1", OURS, OTHER)
    assert dropped(root) == {"tuning"}


def test_encoders_stay_where_other_detectors_may_be_trained_on_them(root):
    make(root, "encoder/1", OURS)
    assert dropped(root, may_share_encoders=True) == set()
    assert dropped(root, keep_encoders_of=[OURS]) == set()
    assert dropped(root, keep_encoders_of=[OTHER]) == {"encoder"}


def test_stopped_work_is_dropped_whatever_it_was(root):
    make(root, "features/1", OURS, is_done=False)
    make(root, "encoder/1", OURS, OTHER, is_done=False)
    assert dropped(root, may_share_encoders=True, keep_encoders_of=[OURS]) == {
        "features",
        "encoder",
    }


@pytest.mark.parametrize("users", [(ELSEWHERE,), (OURS, ELSEWHERE), (ELSEWHERE, OURS)])
def test_what_a_sweep_that_goes_on_has_used_or_begun_stays(root, users):
    make(root, "tuning/1", *users)
    make(root, "encoder/1", *users, is_done=False)
    assert dropped(root) == set()
    assert dropped(root, over=("one", "two")) == {"tuning", "encoder"}


def test_what_a_running_trial_needs_or_makes_stays(root, cache):
    make(root, "tuning/1", OURS)
    assert cache.find(StageKey("tuning", {"n": "tuning/1"}), user=OURS)
    with cache.claim(StageKey("encoder", {"n": 1}), user=OURS) as entry:
        assert dropped(root) == set()
        cache.finish(entry)
    assert dropped(root) == set()
    cache.release()
    assert dropped(root) == {"tuning", "encoder"}


def test_nobody_s_work_is_not_taken_for_a_finished_sweep_s(root):
    make(root, "tuning/1", OURS)
    next(root.glob("tuning/*/users")).unlink()
    assert dropped(root) == set()


def test_without_a_cache_there_is_nothing_to_drop(root):
    assert drop_beginnings(root, is_over=lambda _: True, may_share_encoders=False) == []
    assert not root.exists()
