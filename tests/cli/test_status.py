"""`status` over folders where something is lost or out of reach."""

import json
import shutil
from dataclasses import replace

import pytest

from bearing_search.cli import main


@pytest.fixture
def status(tmp_path, capsys):
    """Exit status, lines of stdout and of stderr."""

    def ask(*arguments):
        code = main(["status", *arguments, "--results", str(tmp_path / "results")])
        told = capsys.readouterr()
        return code, told.out, told.err.splitlines()

    return ask


@pytest.fixture
def sick(make_sweep):
    """Makes a sweep sick; returns the exit status and what must be said of it."""

    def lose_record(folder):
        (folder.root / "sweep.json").unlink()
        return 6, "sweep.json: is missing"

    def tear_record(folder):
        (folder.root / "sweep.json").write_text("{")
        return 6, "sweep.json: cannot be read"

    def lose_ledger(folder):
        for file in folder.root.glob("ledger.db*"):
            file.unlink()
        return 6, "ledger.db: the ledger is missing or empty, but"

    def empty_ledger(folder):
        lose_ledger(folder)
        (folder.root / "ledger.db").touch()
        return 6, "ledger.db: the ledger"

    def fill_ledger_with_nonsense(folder):
        lose_ledger(folder)
        (folder.root / "ledger.db").write_text("nonsense" * 1000)
        return 6, "the file is damaged"

    def lose_server(folder):
        folder.with_record(replace(folder.record, storage="postgresql://127.0.0.1:9/x"))
        return 6, "postgresql://127.0.0.1:9/x: the ledger cannot be used"

    return {
        "no record": lose_record,
        "torn record": tear_record,
        "no ledger": lose_ledger,
        "empty ledger": empty_ledger,
        "nonsense": fill_ledger_with_nonsense,
        "no server": lose_server,
    }


@pytest.mark.parametrize(
    "how", ["no record", "torn record", "no ledger", "empty ledger", "nonsense", "no server"]
)
def test_a_sick_sweep_is_named_and_hides_no_other(make_sweep, sick, status, how):
    make_sweep("first", [1.0])
    code, says = sick[how](make_sweep("sick", [1.0]))
    make_sweep("last", [1.0])

    for arguments in ([], ["sick"]):
        found, out, err = status(*arguments)
        assert found == code
        assert len(err) == 1
        assert says in err[0]
        assert ("first: 1 of 1 trials" in out) is (not arguments)
        assert ("last: 1 of 1 trials" in out) is (not arguments)

    found, out, err = status("--json")
    assert found == code
    shown = {one["name"]: one for one in json.loads(out)}
    assert says in shown.pop("sick")["error"]
    assert {name for name, one in shown.items() if len(one["trials"]) == 1} == {"first", "last"}


def test_a_lost_ledger_is_not_begun_again(make_sweep):
    from bearing_search.errors import SweepError
    from bearing_search.sweep.engine import open_ledger
    from bearing_search.sweep.locking.lock import acquire

    folder = make_sweep("one", [1.0, 2.0])
    for file in folder.root.glob("ledger.db*"):
        file.unlink()
    with (
        acquire(folder) as drivers,
        pytest.raises(SweepError, match=r"missing or empty, but .* holds 2 trials"),
    ):
        open_ledger(folder, drivers)
    assert not (folder.root / "ledger.db").exists()


def test_moved_results_are_read_where_they_are(make_sweep, tmp_path, capsys):
    folder = make_sweep("one", [1.0])
    shutil.move(folder.root.parent, tmp_path / "r?2#%20{x}")

    assert main(["status", "--results", str(tmp_path / "r?2#%20{x}")]) == 0
    assert "one: 1 of 1 trials" in capsys.readouterr().out
    assert not folder.root.parent.exists()
