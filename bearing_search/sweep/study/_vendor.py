"""Everything this package uses beyond Optuna's public API, as found in Optuna 5.0.0.

`tests/sweep/study/test_vendor.py` fails when another version differs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import optuna
import sqlalchemy
import sqlalchemy.orm
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import storage as rdb_storage
from optuna.trial import FrozenTrial, Trial


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage through which a study accesses its database, with a cache of finished trials.

    Private: `Study._storage`. The storage passed to `create_study` has no such cache.
    """
    return study._storage


def study_over(
    storage: object, name: str, *, sampler: BaseSampler, pruner: BasePruner
) -> optuna.Study:
    """A study on top of an object that merely behaves like a storage.

    Private: `load_study` accepts an object of any class, and samplers and pruners read trials
    through its `get_all_trials`.
    """
    return optuna.load_study(
        study_name=name, storage=cast(BaseStorage, storage), sampler=sampler, pruner=pruner
    )


def reopened(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A RUNNING trial of the storage as a live `Trial`, to suggest from and to tell.

    Private: `FrozenTrial._trial_id`, and constructing a `Trial` from a study and that id.
    """
    return Trial(study, trial._trial_id)


def reported_values(study: optuna.Study, trial: Trial) -> Mapping[int, float]:
    """Step -> intermediate value of a trial, read from the storage.

    Private: `Study._storage` and `Trial._trial_id`; the trial itself caches what it read first.
    """
    values: Mapping[int, float] = study._storage.get_trial(trial._trial_id).intermediate_values
    return values


def is_schema_error(error: RuntimeError) -> bool:
    """Whether an error of `RDBStorage` says that another Optuna made the database.

    Private: the error's text, which names both versions.
    """
    return "compatible with the table schema" in str(error)


def storage_at(
    url: str, engine_kwargs: dict[str, Any], *, skip_table_creation: bool = False
) -> RDBStorage:
    """The storage at a URL, whose database may have braces in its path.

    Private: `RDBStorage` fills its URL in as a template (`str.format`); `{x}` is a KeyError.
    """
    template = url.replace("{", "{{").replace("}", "}}")
    return RDBStorage(
        template, engine_kwargs=engine_kwargs, skip_table_creation=skip_table_creation
    )


def storage_to_read(url: str, engine_kwargs: dict[str, Any]) -> RDBStorage:
    """The storage of an existing database, which is neither created nor changed.

    `RDBStorage` loads alembic (a quarter of a second) to compare the database's schema with its
    own. Where both are the same, this is the storage without alembic; else `RDBStorage` decides.

    Private: the attributes that `RDBStorage.__init__` sets, and the names of Optuna's migrations.
    """
    storage = _UncheckedStorage(url, engine_kwargs)
    with storage.engine.connect() as connection:
        has_revision = sqlalchemy.inspect(connection).has_table("alembic_version")
        query = sqlalchemy.text("select version_num from alembic_version")
        revision = connection.scalar(query) if has_revision else None
    if revision == newest_revision():
        return storage
    storage.engine.dispose()
    return storage_at(url, engine_kwargs, skip_table_creation=True)


def newest_revision() -> str:
    """The schema of the installed Optuna, from the file names of its migrations: `v3.2.0.a`."""
    folder = Path(rdb_storage.__file__).with_name("alembic") / "versions"
    return max(file.stem for file in folder.glob("v*.py")).rstrip("_")


class _UncheckedStorage(RDBStorage):
    """An `RDBStorage` that has opened its database without a look at the schema."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any]) -> None:
        self.url = url
        self.engine_kwargs = engine_kwargs
        self.skip_compatibility_check = True
        self.heartbeat_interval = None
        self.grace_period = None
        self.heartbeat_stale_trial_callback = None
        self.failed_trial_callback = None
        self.engine = sqlalchemy.create_engine(url, **engine_kwargs)
        session = sqlalchemy.orm.sessionmaker(bind=self.engine)
        self.scoped_session = sqlalchemy.orm.scoped_session(session)
