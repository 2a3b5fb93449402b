"""What checks of a data set report: a finding is a sentence on some samples, and what to do."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.data.samples import Sample

Severity = Literal["leak", "problem", "warning", "note"]
"""`leak`: test scores would be too good, refused. `problem`: the data cannot be used, refused.
`warning`: likely a mistake. `note`: what the data can and cannot show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a user should know about a data set."""

    severity: Severity
    kind: str
    """What it is about, as one word: `group`, `file`, `copy`, `again`, `label`, `name`, ..."""

    part: str
    text: str
    """What was found; begins with the sample or part it is about."""

    advice: str = ""
    """What to do."""

    samples: tuple[str, ...] = ()
    """Titles of the samples."""

    files: tuple[str, ...] = ()
    """Of a pair: an image of each, to be shown side by side."""

    turn_deg: float = 0.0
    """Of a pair: angle, clockwise, by which the first is turned to lie like the second, in
    [-180, 180]."""

    is_mirrored: bool = False
    """Of a pair: whether the first is mirrored left to right before it is turned."""

    evidence: float = 0.0
    """Of a copy: share of the finest detail that a copy would keep, in [0, 1]. It grows with
    certainty: copies reach 1, photographs taken again stay below (see `matching.detail`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """Everything that the leak guard found; no pixels."""

    digest: str
    """Of all samples and files that were looked at."""

    num_samples: int
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings that a search refuses."""
        return tuple(found for found in self.findings if found.severity == "leak")


def image_of(sample: Sample, level: int = 0) -> str:
    """The file of a sample that shows it in a finding."""
    return str(sample.file_of_level(level))
