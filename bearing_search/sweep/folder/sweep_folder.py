"""A sweep's folder on disk: creating, finding and loading sweeps, and their layout.

results/<sweep>/
  sweep.json, lock  written first: all that `resume` needs; held by the driver
  ledger.db         the Optuna study (sqlite in WAL mode), unless --storage was given
  sessions/         one file per running session; when it is removed, its workers stop
  STOP              while it exists, trials save their state and end
  ray/session-000/  Ray Tune's own files; never read again
  trials/00003/     config.json, measurements.jsonl, log.txt, artifacts/, the trial's state
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bearing_search.config import parse
from bearing_search.errors import ConfigError, ResourceError, SweepError
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.database_url import sqlite_url
from bearing_search.search_space.difference import space_difference
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.space import SearchSpace
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.sweep.folder.listing import LEDGER, find_sweep
from bearing_search.sweep.folder.relocation import absolute_url, with_relative_paths
from bearing_search.sweep.folder.validation import validated
from bearing_search.sweep.record.allowed_leak import AllowedLeak
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SweepRecord, with_digest_scheme
from bearing_search.trial_history.callbacks import SweepView
from bearing_search.trial_history.records import TrialRecord, trial_folder

END = "end.json"
"""File that records why the last session ended; missing while one runs."""


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """An existing sweep. Everything below `root` belongs to it."""

    root: Path
    record: SweepRecord

    _space: SearchSpace | None = field(default=None, init=False, repr=False, compare=False)
    """Cached result of `space`: parsing a large one takes a third of a second."""

    @property
    def cache(self) -> Path:
        """Cache folder shared by all sweeps of the results folder."""
        return self.root.parent / "cache"

    @property
    def data(self) -> Path:
        """Absolute path of the data set."""
        return self.root.parent / self.record.data

    @property
    def storage_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        given = absolute_url(self.record.storage, self.root.parent)
        return given or sqlite_url(self.root / LEDGER)

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI; empty: mlflow.db in the results folder."""
        return absolute_url(self.record.tracking_uri, self.root.parent)

    @property
    def study_name(self) -> str:
        """Name of the Optuna study; unique, since results folders may share a database."""
        return f"{self.record.name}-{self.record.sweep_id}"

    @property
    def stop_file(self) -> Path:
        """File that stops the sweep: while it exists, trials save their state and end."""
        return self.root / "STOP"

    @property
    def sessions(self) -> Path:
        """Folder with one file per running session."""
        return self.root / "sessions"

    def space(self) -> SearchSpace:
        """The search space recorded in sweep.json.

        Raises:
            ConfigError: this version of the package no longer accepts it.
        """
        if self._space is not None:
            return self._space
        space = parse_search_space(self.record.space_text, f"{self.record.name}/sweep.json")
        if self.record.folds is not None:
            space = space.with_setting("split.folds", self.record.folds)
        _with_parsed(self, space)
        return space

    @property
    def objective_spec(self) -> ObjectiveSpec:
        """The space's objectives and constraints, with the first objective as recorded."""
        return self.space().objective_spec.with_first(self.record.objective)

    def trial_folder(self, number: int) -> Path:
        """Folder of one trial."""
        return trial_folder(self.root, number)

    def updated(self, options: SessionOptions) -> "SweepFolder":
        """Apply the options to the record and save it; returns the updated sweep.

        Raises:
            ConfigError: the record does not fit its space; see `validated`.
        """
        return self.with_record(validated(options.applied_to(self.record), self.space()))

    def with_allowed_leak(self, allowed: AllowedLeak | None) -> "SweepFolder":
        """Save which leaks the user allowed; returns the updated sweep."""
        return self.with_record(replace(self.record, allowed_leak=allowed))

    def with_record(self, record: SweepRecord) -> "SweepFolder":
        """Save another record to sweep.json; returns the updated sweep."""
        if record != self.record:
            write_json(self.root / "sweep.json", asdict(record))
        return self.with_unsaved(record)

    def with_unsaved(self, record: SweepRecord) -> "SweepFolder":
        """The sweep with another record, for this process only; sweep.json is unchanged."""
        before = self.record
        is_same = (record.space_text, record.folds) == (before.space_text, before.folds)
        return _with_parsed(SweepFolder(self.root, record), self._space if is_same else None)

    def view(self, trials: Sequence[TrialRecord]) -> SweepView:
        """The sweep as passed to callbacks."""
        record, space, objective_spec = self.record, self.space(), self.objective_spec
        facts = {
            "question": space.question,
            "data": str(self.data),
            "data_digest": record.data_digest,
            "task": record.task,
            "sampler": record.sampler,
            "objectives": ", ".join(map(str, objective_spec.objectives)),
            "constraints": ", ".join(map(str, objective_spec.constraints)),
            "seed": str(record.seed),
            "warm_start": ", ".join(sorted({p.source.split("/")[0] for p in record.known})),
            "git_commit": record.git_commit,
            **{f"version.{name}": number for name, number in record.versions.items()},
        }
        return SweepView(
            name=record.name,
            sweep_id=record.sweep_id,
            folder=self.root,
            target=record.target,
            is_shared=record.storage.startswith("postgres"),
            num_seed_runs=record.seeds.num_runs,
            task=record.task,
            objective=record.objective,
            parameters=tuple(space.parameters),
            facts=facts,
            trials=trials,
        )

    def refuse_changes(
        self, *, space: SearchSpace | None = None, data_digest: str | None = None
    ) -> None:
        """Refuse a space or data digest other than the sweep's; None skips a comparison.

        Raises:
            SweepError: one of them differs; shows the difference line by line.
        """
        name = self.record.name
        if space is not None and (lines := space_difference(self.space(), space)):
            raise SweepError(
                f"{name}: the search space differs from the one the sweep began with; start a "
                "new sweep under another name\n" + "\n".join(lines)
            )
        if data_digest is not None and data_digest != self.record.data_digest:
            raise SweepError(
                f"{name}: the data has changed since the sweep began\n"
                f"- data digest {self.record.data_digest}\n+ data digest {data_digest}\n"
                "Scores on other data would not be comparable with those of the sweep. Restore "
                f"{self.data}, or start a new sweep under another name"
            )


def create_sweep(
    results: Path, record: SweepRecord, space: SearchSpace | None = None
) -> SweepFolder:
    """Create the folder of a new sweep and write its sweep.json.

    Args:
        results: folder of all sweeps; created if it is missing.
        record: record to write; its paths are made relative to the results folder, or absolute.
        space: the record's space, if the caller has parsed it; None: it is parsed here.

    Raises:
        SweepError: a sweep of that name exists.
        ConfigError: the record does not fit its space; see `validated`.
        ResourceError: the results folder cannot be written, or the sampler's package is missing.
    """
    root = results.resolve() / record.name
    record = with_relative_paths(record, root.parent)
    assert space is None or space.text == record.space_text
    folder = _with_parsed(SweepFolder(root, record), space)
    folder = folder.with_unsaved(validated(record, folder.space()))
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise SweepError(
                f"{record.name}: already exists in {results}; continue it with `resume "
                f"{record.name}`, or choose another --name"
            )
        (root / "trials").mkdir()
        write_json(root / "sweep.json", asdict(folder.record))
    except OSError as error:
        raise ResourceError(
            f"{results}: cannot be written ({error.strerror}); choose another --results folder"
        ) from None
    return folder


def _with_parsed(folder: SweepFolder, space: SearchSpace | None) -> SweepFolder:
    object.__setattr__(folder, "_space", space)
    return folder


def load_sweep(results: Path, name: str) -> SweepFolder:
    """Load an existing sweep.

    Raises:
        SweepError: there is no sweep of that name, or its sweep.json is missing or cannot be read.
    """
    root = find_sweep(results, name)
    try:
        raw = json.loads((root / "sweep.json").read_text(encoding="utf-8"))
        return SweepFolder(root, parse(SweepRecord, with_digest_scheme(raw)))
    except FileNotFoundError:
        raise SweepError(
            f"{root / 'sweep.json'}: is missing; restore it, or remove the folder {root}"
        ) from None
    except (OSError, ValueError, ConfigError) as error:
        raise SweepError(f"{root / 'sweep.json'}: cannot be read: {error}") from None
