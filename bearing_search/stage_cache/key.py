"""What names the output of a stage: everything that can change it, and nothing else. No torch.

A key is not the trial's. It is the stage's own settings and the contents that it reads, so trials
that agree up to some stage share what they computed until there, whatever they do afterwards.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearing_search.filesystem.digest import sha256_of_json

STAGES_VERSION = {"encoder": 1, "detector": 1, "distances": 1, "scores": 1}
"""By stage: raised whenever its code gives other numbers for equal settings and inputs. `encoder`
is also the version of what is read of a frozen one (`features`) and of beginnings (`tuning`).
`scores`, which no store keeps, is what comes before and after: preparing images, maps and metrics.
See `science_digest`, which tells when to think of it."""

ENCODER_SECTIONS = (
    *("parts", "scope", "split", "preprocess", "fusion"),  # seen in the pixels
    *("encoder", "augment", "finetune", "seed"),
)
"""Sections of a config that a fine-tuned encoder depends on."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class StageKey:
    """The name of one stage's output, with the facts that it is the digest of."""

    stage: str
    facts: Mapping[str, Any]
    """What the output is a function of, as JSON-like values; readable in the manifest."""

    @property
    def digest(self) -> str:
        """32 hex digits, independent of the order in which mappings were filled."""
        return sha256_of_json(self.facts)[:32]

    @property
    def name(self) -> str:
        """`stage/digest`: the entry's folder below the store's."""
        return f"{self.stage}/{self.digest}"


def stage_key(
    stage: str,
    *,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    seed: int,
    compute: str,
    version: int | None = None,
) -> StageKey:
    """Name the output of a stage.

    Args:
        stage: lower-case word, the entry's shelf in the store.
        settings: the stage's own config sections, plain; floats and integers are different values.
        inputs: content digests of what it reads; of an earlier stage, that stage's `digest`.
        seed: of everything random in it.
        compute: what moves the last bits: kind of device, precision, versions of the libraries.
        version: of the stage's code; None: as in STAGES_VERSION.
    """
    assert _NAME.fullmatch(stage), stage
    facts = {
        "stage": stage,
        "version": STAGES_VERSION[stage] if version is None else version,
        "settings": settings,
        "inputs": inputs,
        "seed": seed,
        "compute": compute,
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts, allow_nan=False))
    return StageKey(stage, plain)
