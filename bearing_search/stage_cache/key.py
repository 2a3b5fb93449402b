"""Cache keys: everything that can change the output of a stage, and nothing else. No torch.

A key consists of the stage's own settings and the content of its inputs, not of the trial, so
trials that agree up to some stage share all results up to there.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearing_search.filesystem.digest import sha256_of_json

STAGES_VERSION = {"encoder": 1, "detector": 1, "distances": 1, "scores": 3}
"""Version by stage, raised whenever its code gives other numbers for equal settings and inputs.
`encoder` also covers frozen `features` and partial trainings (`tuning`). `scores` is never cached;
it covers what comes before and after: image preparation, anomaly maps and metrics. The test of
`science_digest` is the reminder to raise a version."""

ENCODER_SECTIONS = (
    *("parts", "scope", "split", "preprocess", "fusion"),  # reflected in the pixels
    *("encoder", "augment", "finetune", "seed"),
)
"""Config sections that a fine-tuned encoder depends on."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class StageKey:
    """Key of a stage's output, with the facts that its digest is computed from."""

    stage: str
    facts: Mapping[str, Any]
    """Everything that determines the output, as JSON-like values; stored in the manifest."""

    @property
    def digest(self) -> str:
        """32 hex digits, independent of the key order of mappings."""
        return sha256_of_json(self.facts)[:32]

    @property
    def name(self) -> str:
        """`stage/digest`: the entry's folder below the cache root."""
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
    """The cache key of a stage's output.

    Args:
        stage: lower-case word, the entry's parent folder in the cache.
        settings: the stage's config sections, as plain values; 1 and 1.0 differ.
        inputs: content digests of the inputs; for an earlier stage, that stage's `digest`.
        seed: seed of everything random in the stage.
        compute: environment that can change the last bits: device type, precision, libraries.
        version: version of the stage's code; None: as in STAGES_VERSION.
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
