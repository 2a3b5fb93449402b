"""The record of a scored fold, `unit.json`."""

import logging
from dataclasses import dataclass
from pathlib import Path

from bearing_search.config import parse
from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.training.checkpoint import Row

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRecord:
    """Results of a scored fold, as stored in `unit.json`."""

    rows: tuple[tuple[str, Row], ...]
    """Pairs of stage and measurements, in order."""

    metrics: dict[str, Row]
    """Metrics of each part, by its key."""

    tags: dict[str, str]
    reused: tuple[str, ...]
    """Stages that other trials computed, at least in part."""

    computed_s: float
    """Seconds that this trial spent on the stages."""

    saved_s: float
    """Seconds that other trials spent on reused stages."""


def read_record(file: Path) -> FoldRecord | None:
    """The record of a fold that is done; None if it is not, or was damaged and is put aside."""
    if not file.exists():
        return None
    try:
        with naming_damage(file):
            return parse(FoldRecord, read_json_object(file))
    except DamagedFileError as error:
        aside = file.with_name(f"{file.name}.damaged")
        _LOG.warning("%s; moved to %s, the fold is scored again", error, aside)
        file.replace(aside)
        return None
