"""Whether the installed Optuna still has, and means, what `sweep/study/_vendor.py` uses of it."""

from contextlib import contextmanager

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from bearing_search.errors import SweepError
from bearing_search.sweep.study._vendor import (
    newest_revision,
    reopened,
    reported_values,
    storage_at,
    storage_of,
    storage_to_read,
    study_over,
)
from bearing_search.sweep.study.filtered_storage import FilteredStorage


@contextmanager
def as_seen_in_5_0_0(what):
    """Whatever goes wrong, say what has changed and where it is used."""
    try:
        yield
    except Exception as error:  # a private API may fail in any way once it has changed
        pytest.fail(
            f"Optuna {optuna.__version__}: {what} is not as in 5.0.0 ({error!r}); mend "
            "sweep/study/_vendor.py",
            pytrace=False,
        )


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def study(url):
    return optuna.create_study(study_name="s", storage=url, direction="maximize")


def test_a_study_has_its_storage(study):
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with as_seen_in_5_0_0("Study._storage"):
        (trial,) = storage_of(study).get_all_trials(study._study_id)
        assert trial.value == 1.0


class Seeing(optuna.samplers.RandomSampler):
    """Notes what values it could learn from."""

    def sample_independent(self, study, trial, name, distribution):
        self.seen = [one.value for one in study.get_trials(states=(TrialState.COMPLETE,))]
        return super().sample_independent(study, trial, name, distribution)


def test_samplers_and_pruners_read_through_what_only_behaves_as_a_storage(study):
    study.add_trial(optuna.trial.create_trial(value=1.0))
    study.add_trial(optuna.trial.create_trial(value=2.0, user_attrs={"same_as": 0}))
    with as_seen_in_5_0_0("load_study with a storage of another class"):
        sampler = Seeing(seed=0)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=0)
        veiled = study_over(FilteredStorage(storage_of(study)), "s", sampler=sampler, pruner=pruner)
        trial = veiled.ask()
        trial.suggest_float("x", 0, 1)
        assert sampler.seen == [1.0]
        assert not trial.should_prune()
        veiled.tell(trial, 3.0)
        assert [one.value for one in study.get_trials()] == [1.0, 2.0, 3.0]


def test_a_running_trial_is_opened_again_with_the_values_it_had(study, url):
    first = study.ask()
    drawn = first.suggest_float("x", 0, 1)
    later = optuna.load_study(study_name="s", storage=url)
    with as_seen_in_5_0_0("Trial(study, FrozenTrial._trial_id)"):
        (left,) = later.get_trials(states=(TrialState.RUNNING,))
        again = reopened(later, left)
        assert again.suggest_float("x", 0, 1) == drawn
        later.tell(again, 1.0)
        assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE]


def test_reported_values_are_those_of_the_storage_not_those_that_a_trial_read_first(study):
    trial = study.ask()
    with as_seen_in_5_0_0("Study._storage.get_trial(Trial._trial_id)"):
        same = optuna.trial.Trial(study, trial._trial_id)
        same.report(0.5, 3)
        assert reported_values(study, trial) == {3: 0.5}


def test_the_newest_migration_has_the_schema_s_name(study, url):
    with as_seen_in_5_0_0("optuna/storages/_rdb/alembic/versions"):
        assert newest_revision() == optuna.storages.RDBStorage(url).get_head_version()


def test_a_storage_to_read_shows_the_same_trials(study, url):
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.set_user_attr("digest", "a")
    trial.report(0.5, step=3)
    study.tell(trial, 1.0)
    with as_seen_in_5_0_0("RDBStorage.__init__"):
        seen = optuna.load_study(study_name="s", storage=storage_to_read(url, {}))
        assert seen.trials == study.trials
        assert seen.best_value == 1.0


def test_a_url_is_not_filled_in_as_a_template(tmp_path):
    folder = tmp_path / "a{b}{}{SCHEMA_VERSION}{"
    folder.mkdir()
    url = f"sqlite:///{folder / 'x.db'}"  # as given with --storage; `sqlite_url` escapes braces
    with as_seen_in_5_0_0("RDBStorage(url)"), pytest.raises((KeyError, ValueError, IndexError)):
        optuna.storages.RDBStorage(url)
    storage = storage_at(url, {})
    optuna.create_study(study_name="s", storage=storage)
    assert optuna.load_study(study_name="s", storage=storage_to_read(url, {})).trials == []
    assert [file.name for file in folder.iterdir()] == ["x.db"]


def test_a_database_of_another_schema_is_left_to_optuna(study, url):
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("update alembic_version set version_num = 'v3.0.0.d'"))
    engine.dispose()
    with pytest.raises(RuntimeError, match="upgrading the storage"):
        storage_to_read(url, {})


@pytest.mark.parametrize("version", ["v99.0.0.a", "v0.9.0.a"])
def test_a_study_by_another_optuna_is_one_line_with_both_versions(study, url, version):
    from bearing_search.sweep.study.storage import open_storage, storage_errors

    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"update alembic_version set version_num = '{version}'"))
        connection.execute(sqlalchemy.text("update version_info set library_version = '7.7.7'"))
    engine.dispose()
    for read_only in (True, False):
        with (
            pytest.raises(SweepError) as told,
            storage_errors(url),
        ):
            open_storage(url, read_only=read_only)
        text = str(told.value)
        assert "the ledger cannot be used" in text
        assert "7.7.7" in text
        assert optuna.__version__ in text
        assert "\n" not in text
