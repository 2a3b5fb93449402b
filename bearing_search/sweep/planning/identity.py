"""What makes a trial the same as another: settings, data, task, seed and version of each stage.

Under equal ones a score is the same up to rounding: the machine and the versions of the libraries,
which move the last digits, are not compared. Which settings count is up to the sweep's digest
scheme (`config.digest`); scheme 1 also counts those of detectors that are not chosen, which change
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.config import FIRST_SCHEME, TrialConfig, counted_settings, to_plain
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.digest import sha256_of_json
from bearing_search.sweep.record.sweep_record import SweepRecord


@dataclass(frozen=True, slots=True)
class Identity:
    """The name of a trial, with the facts that it follows from."""

    facts: Mapping[str, Any]
    """`config`, `data`, `folds`, `seed`, `protocol` and `code`, as JSON-like values. What a sweep
    is called, where it lies and what it runs on is not among them."""

    scheme: int
    """The sweep's digest scheme: which settings among the facts count."""

    @classmethod
    def of(cls, config: TrialConfig, record: SweepRecord) -> "Identity":
        """Of a trial of this config in this sweep, under the code that the sweep runs with.

        `folds` says how the assignment to folds is made, not its outcome, which is a function of
        that, of `data` and of `code`. A reproduction holds out nothing and is scored on test.
        """
        data, code = record.data_digest, dict(record.stages)
        facts = _facts(to_plain(config), task=record.task, data=data, code=code)
        return cls(facts, record.digest_scheme)

    @property
    def digest(self) -> str:
        """32 hex digits, independent of the order of keys."""
        task, split = self.facts["folds"]["task"], dict(self.facts["folds"])
        del split["task"]
        own = {"split": split, "seed": self.facts["seed"], "protocol": self.facts["protocol"]}
        counted = counted_settings({**self.facts["config"], **own}, self.scheme)
        facts = _facts(counted, task=task, data=self.facts["data"], code=self.facts["code"])
        if self.scheme != FIRST_SCHEME:
            facts["scheme"] = self.scheme
        return sha256_of_json(facts)[:32]


def _facts(
    plain: Mapping[str, Any], *, task: str, data: str, code: Mapping[str, int]
) -> dict[str, Any]:
    """The six facts, of all settings of a config or of those that count."""
    config = dict(plain)
    split, protocol = config.pop("split", {}), config.pop("protocol", {})
    return {
        "config": config,
        "data": data,
        "folds": {"task": task, **split},
        "seed": config.pop("seed"),
        "protocol": protocol,
        "code": code,
    }


def write_identity(folder: Path, config: TrialConfig, record: SweepRecord, *, ledgers: str) -> None:
    """Write a trial's config.json and identity.json.

    Args:
        folder: the trial's.
        config: the trial's.
        record: of its sweep.
        ledgers: the trial's digest in the ledger. Of a trial that was begun under other code it is
            another one, and identity.json stays as it was written then.
    """
    write_json(folder / "config.json", to_plain(config))
    identity = Identity.of(config, record)
    if identity.digest == ledgers:
        write_json(folder / "identity.json", {"identity": ledgers, **identity.facts})
