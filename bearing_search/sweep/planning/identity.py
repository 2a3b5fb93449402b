"""What makes a trial the same as another: all that can change its score, and nothing else."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.config import TrialConfig, to_plain
from bearing_search.filesystem.atomic import write_json
from bearing_search.sweep.record.sweep_record import SweepRecord


@dataclass(frozen=True, slots=True)
class Identity:
    """The name of a trial, with the facts that it is the digest of."""

    facts: Mapping[str, Any]
    """`config`, `data`, `folds`, `seed`, `protocol` and `code`, as JSON-like values. What a sweep
    is called, where it lies and what it runs on is not among them."""

    @classmethod
    def of(cls, config: TrialConfig, record: SweepRecord) -> "Identity":
        """Of a trial of this config in this sweep, under the code that the sweep runs with.

        `folds` says how the assignment to folds is made, not its outcome, which is a function of
        that, of `data` and of `code`. A reproduction holds out nothing and is scored on test.
        """
        plain = to_plain(config)
        own = {name: plain.pop(name) for name in ("split", "seed", "protocol")}
        return cls(
            {
                "config": plain,
                "data": record.data_digest,
                "folds": {"task": record.task, **own["split"]},
                "seed": own["seed"],
                "protocol": own["protocol"],
                "code": dict(record.stages),
            }
        )

    @property
    def digest(self) -> str:
        """32 hex digits, independent of the order of keys."""
        canonical = json.dumps(self.facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


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
