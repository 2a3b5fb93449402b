"""A sweep names its configs as it began, whatever is added to the config since."""

import json
import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bearing_search.config import (
    LATEST_SCHEME,
    PatchCoreConfig,
    TrialConfig,
    config_digest,
    parse,
    to_plain,
)
from bearing_search.config.reference_values import LATER_SETTINGS
from bearing_search.errors import SweepError
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.planning.identity import Identity
from bearing_search.sweep.planning.required_trials import with_seed
from bearing_search.sweep.planning.shared_prefix import shared_prefix
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.warm_start import prior_trials

FIXTURES = Path(__file__).parent / "fixtures/begun_at_f25563c"
"""Two sweeps of fake trials that f25563c was stopped in: `search` (TPE, an audit, a finalist; 6
trials begun) and `design` (a grid of 16 points; 8 begun). sweep.json with another data path, and
the ledger's content as SQL."""

NAMES = Path(__file__).parents[1] / "config/fixtures/digests_at_f25563c.json"
OLD = json.loads(NAMES.read_text(encoding="utf-8"))

SETTINGS = """# Which detector, and after which alternation?
base: {finetune: {epochs: 40}}
vary:
  detector: {choice: [dinomaly, patchcore]}
  patchcore.coreset_share: {choice: [0.05, 0.1]}
  finetune.alternation_period: {choice: [3, 5]}
  decoder.batch_size: {choice: [8, 16]}
"""
"""The space of `design`: half of its points differ in what their detector does not read only."""


@pytest.fixture(params=["as it is", "a setting more"])
def later(request, monkeypatch):
    """The config as it is, and with a setting that was added since."""
    if request.param == "as it is":
        return
    monkeypatch.setitem(LATER_SETTINGS, "finetune.ema", 0.0)

    def with_more(config):
        plain = to_plain(config)
        plain["finetune"]["ema"] = 0.0
        return plain

    planning, record = "bearing_search.sweep.planning", "bearing_search.sweep.record.sweep_record"
    for module in (f"{planning}.identity", f"{planning}.shared_prefix", record):
        monkeypatch.setattr(f"{module}.to_plain", with_more)
    monkeypatch.setattr("bearing_search.sweep.study.grid.to_plain", with_more)


@pytest.fixture
def begun(tmp_path):
    """A sweep that f25563c began, by its name."""

    def copy(name):
        root = tmp_path / name
        (root / "trials").mkdir(parents=True)
        record = json.loads((FIXTURES / name / "sweep.json").read_text(encoding="utf-8"))
        record["data"] = str(tmp_path)
        (root / "sweep.json").write_text(json.dumps(record), encoding="utf-8")
        with closing(sqlite3.connect(root / "ledger.db")) as ledger:
            ledger.executescript((FIXTURES / name / "ledger.sql").read_text(encoding="utf-8"))
        return load_sweep(tmp_path, name)

    return copy


def names_of(folder, record):
    """What the sweep calls a trial's config now: digest, setting, identity, prefix."""
    config = with_seed(folder.space().trial(record.suggestion), record.seed)
    digest, setting = folder.record.config_digest(config), folder.record.setting_digest(config)
    return digest, setting, Identity.of(config, folder.record).digest, tuple(shared_prefix(config))


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("name", ["search", "design"])
def test_every_trial_of_an_older_sweep_is_called_what_it_was(begun, name):
    folder = begun(name)
    trials = sweep_status(folder).trials

    assert folder.record.digest_scheme == 1
    assert len(trials) == {"search": 6, "design": 8}[name]
    for trial in trials:
        known = (trial.digest, trial.setting, trial.identity, trial.prefix)
        assert names_of(folder, trial) == known


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_a_design_begun_before_there_were_schemes_ends_with_each_point_once(
    begun, simulate, fakes, observed
):
    folder = begun("design")
    before = {t.number: t for t in sweep_status(folder).trials}

    outcome = simulate(folder, fakes.run_trial, [observed])

    assert outcome.shortfall == ""
    assert outcome.count("complete") == len(outcome.trials) == folder.record.target == 16
    assert len({trial.digest for trial in outcome.trials}) == 16
    # the seven that were complete are as they were, and the one that was under way is the same
    assert [number for number, _ in observed.of("trial")] == list(range(7, 16))
    after = {trial.number: trial for trial in outcome.trials}
    for number, trial in before.items():
        assert (after[number].digest, after[number].identity) == (trial.digest, trial.identity)
    saved = json.loads((folder.root / "sweep.json").read_text(encoding="utf-8"))
    assert saved.get("digest_scheme", 1) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_a_search_begun_before_there_were_schemes_runs_no_config_twice(
    begun, simulate, fakes, observed
):
    folder = begun("search")
    folder = folder.updated(SessionOptions(target=12))

    outcome = simulate(folder, fakes.run_trial, [observed])

    assert load_sweep(folder.root.parent, "search").record.digest_scheme == 1
    run = [number for number, _ in observed.of("trial")]
    assert run[0] == 5  # it was under way
    assert not set(run) & set(range(5))
    assert sum(trial.counts for trial in outcome.trials) == 12
    purposes = [trial.purpose for trial in outcome.trials]
    assert (purposes.count("audit"), purposes.count("finalist")) == (1, 1)
    trained = [trial.digest for trial in outcome.trials if trial.same_as is None]
    assert len(trained) == len(set(trained))


@pytest.mark.parametrize("old", OLD, ids=lambda old: old["digest"])
@pytest.mark.usefixtures("later")
def test_identities_of_scheme_1_are_those_of_before(old):
    config = parse(TrialConfig, old["config"])
    stages = {"encoder": 1, "detector": 1, "distances": 1, "scores": 1}
    facts: dict[str, Any] = {
        "space_text": "",
        "data": "/a",
        "data_digest": "d1",
        "target": 3,
        "stages": stages,
    }
    record = SweepRecord(name="one", digest_scheme=1, **facts)

    assert Identity.of(config, record).digest == old["identity"]
    assert list(shared_prefix(config)) == old["prefix"]
    other = Identity.of(config, replace(record, digest_scheme=2))
    assert other.digest != old["identity"]
    assert other.facts == Identity.of(config, record).facts  # what identity.json tells


def test_the_later_setting_is_in_what_is_told_and_moves_no_identity(monkeypatch):
    facts: dict[str, Any] = {"space_text": "", "data": "/a", "data_digest": "d1", "target": 3}
    record = SweepRecord(name="one", **facts)
    before = Identity.of(TrialConfig(), record)
    monkeypatch.setitem(LATER_SETTINGS, "split.stratified", True)
    plain = to_plain(TrialConfig())
    monkeypatch.setattr(
        "bearing_search.sweep.planning.identity.to_plain", lambda config: deepcopy(plain)
    )
    for is_stratified, is_same in ((True, True), (False, False)):
        plain["split"]["stratified"] = is_stratified
        now = Identity.of(TrialConfig(), record)
        assert now.facts["folds"]["stratified"] is is_stratified
        assert (now.digest == before.digest) is is_same


def test_a_new_sweep_says_the_latest_scheme_and_keeps_it(new_sweep, tmp_path):
    new_sweep()

    saved = json.loads((tmp_path / "one/sweep.json").read_text(encoding="utf-8"))
    assert saved["digest_scheme"] == LATEST_SCHEME == 2
    assert load_sweep(tmp_path, "one").record.digest_scheme == 2


@pytest.mark.parametrize("scheme", [3, 0, "x", None])
def test_a_scheme_that_is_not_known_is_told_in_one_line(new_sweep, tmp_path, scheme):
    file = new_sweep(versions={"bearing_search": "9.1"}).root / "sweep.json"
    raw = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(raw | {"digest_scheme": scheme, "sampler": "oracle"}))

    with pytest.raises(SweepError) as error:
        load_sweep(tmp_path, "one")
    assert str(error.value) == (
        f"{file}: cannot be read: digest_scheme is {scheme!r}, known are 1 to 2; use the version "
        "of bearing_search that began the sweep (9.1) or a later one"
    )


def test_a_file_that_is_no_record_is_an_error_too(new_sweep, tmp_path):
    (new_sweep().root / "sweep.json").write_text("[]")

    with pytest.raises(SweepError, match=r"sweep\.json: cannot be read: .*found \[\]"):
        load_sweep(tmp_path, "one")


@pytest.mark.slow
def test_points_that_differ_in_what_is_not_read_are_one(new_sweep, ledger_of):
    folder = new_sweep(space_text=SETTINGS, sampler="grid", target=0)
    ledger = ledger_of(folder)
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, 0.5)
        ledger = ledger_of(folder)  # each in a session of its own

    # of dinomaly 2 periods and 2 batches, of patchcore 2 shares and 2 periods
    assert folder.record.target == len(scheduled) == 8
    assert ledger.is_done
    assert scheduled[0].suggestion == folder.space().default_suggestion()
    read = [
        (c.detector, c.finetune.alternation_period, c.decoder.batch_size)
        if c.detector == "dinomaly"
        else (
            c.detector,
            c.finetune.alternation_period,
            c.section_of(PatchCoreConfig).coreset_share,
        )
        for c in (one.config for one in scheduled)
    ]
    assert len(set(read)) == 8


@pytest.mark.slow
def test_a_search_runs_what_is_read_once_and_ends(new_sweep, ledger_of):
    """All sixteen points are eight configs: no ninth is trained, whatever is drawn."""
    ledger = ledger_of(new_sweep(space_text=SETTINGS, sampler="random", target=16))
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
        ledger.complete(one.number, 0.5)

    assert len(scheduled) == len({one.identity for one in scheduled}) == 8
    assert ledger.is_done


def test_bundles_may_differ_in_what_the_base_does_not_read(new_sweep, ledger_of):
    vary = {
        "detector": {"choice": ["dinomaly", "padim"]},
        "size": {"bundle": {"own": {}, "small": {"padim.dims": 10}}},
    }
    folder = new_sweep(
        space_text=yaml.safe_dump({"base": {}, "vary": vary}), sampler="grid", target=0
    )

    assert folder.record.target == 3
    assert ledger_of(folder).next().suggestion == {"detector": "dinomaly", "size": "own"}


def test_a_sweep_of_another_scheme_is_known_by_its_settings(begun, simulate, fakes, ledger_of):
    earlier = begun("search")
    simulate(earlier, fakes.run_trial)
    record = replace(earlier.record, name="second", sweep_id="2", digest_scheme=2)

    points = prior_trials(earlier, record, earlier.space())

    assert len(points) == 9
    config = earlier.space().trial(points[0].suggestion)
    assert record.config_digest(config) == config_digest(to_plain(config), 2)
    assert record.config_digest(config) != earlier.record.config_digest(config)


def test_callbacks_get_each_config_s_digest_in_the_sweep_s_scheme(
    begun, new_sweep, simulate, fakes, observed
):
    class Digests(type(observed)):  # type: ignore[misc]  # a class of the fakes
        def on_trial_start(self, trial):
            self.events.append((trial.digest, to_plain(trial.config)))

    for folder, scheme in ((begun("search"), 1), (new_sweep(), 2)):
        callback = Digests()
        simulate(folder, fakes.run_trial, [callback])
        started = [event for event in callback.events if isinstance(event[1], dict)]
        assert started
        assert all(digest == config_digest(config, scheme) for digest, config in started)
