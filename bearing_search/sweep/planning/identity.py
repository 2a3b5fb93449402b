"""The identity of a trial: a digest of settings, data, task, seed and version of each stage.

Trials with equal identities have equal scores up to rounding: the machine and the library versions,
which change the last digits, are not part of it. The sweep's digest scheme (`config.digest`)
determines which settings count; scheme 1 also counts those of detectors that are not chosen, which
have no effect.
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
    """The identity of a trial, with the facts that determine it."""

    facts: Mapping[str, Any]
    """`config`, `data`, `folds`, `seed`, `protocol` and `code`, as JSON-like values. The sweep's
    name, location and resources are not among them."""

    scheme: int
    """The sweep's digest scheme, which determines the settings that count."""

    @classmethod
    def of(cls, config: TrialConfig, record: SweepRecord) -> "Identity":
        """Identity of a trial of this config in this sweep, under the sweep's version of the code.

        `folds` describes how samples are assigned to folds, not the outcome, which is a function of
        it, `data` and `code`. A reproduction holds out nothing and is scored on test.
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
    """The six facts, for all settings of a config or only those that count."""
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
        folder: folder of the trial.
        config: config of the trial.
        record: record of its sweep.
        ledgers: identity of the trial in the ledger. It differs if the trial was started under
            other code; identity.json then stays as it was written at the time.
    """
    write_json(folder / "config.json", to_plain(config))
    identity = Identity.of(config, record)
    if identity.digest == ledgers:
        write_json(folder / "identity.json", {"identity": ledgers, **identity.facts})
