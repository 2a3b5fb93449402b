import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.cli import main
from bearing_search.cli.commands.cache import parse_size, size_text
from bearing_search.errors import ConfigError
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.stage_cache.key import StageKey
from bearing_search.stage_cache.limit import max_bytes_of


@pytest.fixture
def results(tmp_path) -> Path:
    """Two sweeps; the first stage was used by both, the others by one each."""
    root = tmp_path / "results"
    for sweep in ("first", "second"):
        (root / sweep).mkdir(parents=True)
        (root / sweep / "sweep.json").write_text("{}")
    uses = {1: ("first", "second"), 2: ("first",), 3: ("second",)}
    with closing(StageCache(root / "cache/stages")) as store:
        for number, sweeps in uses.items():
            for sweep in sweeps:
                user = f"{sweep}/trials/00000"
                key = StageKey("encoder", {"n": number})
                with store.claim(key, user=user, title=f"LC, fold {number} of 3") as entry:
                    if not entry.is_done:
                        (entry.folder / "output").write_bytes(bytes(2_000_000))
                        store.finish(entry)
            then = 1_000_000 + number
            os.utime(entry.folder.parent / "users", (then, then))
    return root


def cache(results: Path, *arguments: str) -> int:
    return main(["cache", *arguments, "--results", str(results)])


def left(results: Path) -> list[str]:
    return [o.title[9] for o in list_entries(results / "cache/stages")]


def test_ls_shows_size_uses_and_what_was_saved(results, capsys):
    assert cache(results, "ls") == 0
    said = capsys.readouterr().out
    assert said.count("2.0 MB") == 3
    assert "LC, fold 3 of 3" in said
    assert "3 stages, 6.0 MB of at most" in said

    assert cache(results, "ls", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [len(one["users"]) for one in listed] == [2, 1, 1]
    assert listed[0]["saved_s"] == listed[0]["computed_s"] > 0
    assert listed[1]["saved_s"] == 0


def test_ls_of_nothing(tmp_path, capsys):
    assert cache(tmp_path, "ls") == 0
    assert "no shared stages yet" in capsys.readouterr().out
    assert cache(tmp_path, "prune", "--max-size", "0") == 0
    assert cache(tmp_path, "verify") == 0
    assert list(tmp_path.iterdir()) == []


def test_verify_moves_damaged_stages_aside_and_says_so_by_its_status(results, capsys):
    assert cache(results, "verify") == 0
    assert "3 finished stages are intact" in capsys.readouterr().out
    damaged = list_entries(results / "cache/stages")[1]
    (damaged.home / "done/output").write_bytes(b"x" + bytes(1_999_999))

    assert cache(results, "verify") == 5

    said = capsys.readouterr()
    assert f"{damaged.name}: output has a different sha256" in said.out
    assert "1 of 3 stages" in said.err
    assert left(results) == ["1", "3"]
    assert cache(results, "verify") == 0


def test_verify_leaves_in_place_what_a_running_trial_uses(results, capsys):
    damaged = list_entries(results / "cache/stages")[0]
    with closing(StageCache(results / "cache/stages")) as store:
        with store.claim(StageKey("encoder", {"n": 1}), user="third") as entry:
            assert entry.is_done
        (damaged.home / "done/output").write_bytes(b"short")
        assert cache(results, "verify") == 5
    assert "left in place" in capsys.readouterr().out
    assert damaged.home.exists()


def test_prune_to_a_size_deletes_the_least_recently_used(results, capsys):
    assert cache(results, "prune", "--max-size", "5MB", "--dry-run") == 0
    assert "would free 2.0 MB in 1 stages" in capsys.readouterr().out
    assert left(results) == ["1", "2", "3"]

    assert cache(results, "prune", "--max-size", "5MB") == 0
    assert "freed 2.0 MB in 1 stages" in capsys.readouterr().out
    assert left(results) == ["2", "3"]


def test_prune_keeps_what_a_sweep_has_used(results, capsys):
    assert cache(results, "prune", "--keep", "second") == 0
    assert left(results) == ["1", "3"]
    assert cache(results, "prune", "--keep", "secnd") == 6
    assert "did you mean second?" in capsys.readouterr().err
    assert left(results) == ["1", "3"]


def test_prune_without_a_wish_deletes_nothing(results, capsys):
    assert cache(results, "prune") == 2
    assert "--max-size" in capsys.readouterr().err
    assert cache(results, "prune", "--max-size", "much") == 2
    assert len(left(results)) == 3


def test_the_limit_is_kept_for_this_results_folder(results, capsys):
    assert cache(results, "limit", "1.5 GB") == 0
    assert max_bytes_of(results / "cache/stages") == 1_500_000_000
    assert "at most 1.5 GB" in capsys.readouterr().out
    assert cache(results, "limit", "default") == 0
    assert not (results / "cache/stages/max_bytes").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GB", 20 * 10**9), ("1.5 tb", 1.5e12), ("7k", 7000), ("12B", 12)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "3 PB", "1,5GB"])
def test_no_sizes(text):
    with pytest.raises(ConfigError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (2e12, "2.0 TB")],
)
def test_sizes_for_people(size, text):
    assert size_text(int(size)) == text
