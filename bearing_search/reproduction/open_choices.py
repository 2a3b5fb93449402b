"""What the paper leaves open and what we chose, as shown in docs/method.md and by `reproduce`.

Choices that settings can change are declared at their fields in `config/`, the others here.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bearing_search.config import OpenChoice, TrialConfig, plain_form, settings_by_path

CHOICES = "What the paper leaves open"
"""Title of the list."""

HEADER = ("question", "the paper says", "choice", "setting", "where it comes from")

_FIXED = (
    OpenChoice(
        "which task opens the alternation",
        "patch classification: reconstruction has just had 20 epochs",
        paper="20 epochs of reconstruction, then turns of 5",
    ),
    OpenChoice(
        "dynamic range of SSIM on features",
        "each channel z-scored by the frozen map's statistics, range 6",
        source="measured: the usual 255 makes L_P about 0",
    ),
    OpenChoice(
        "what r_mean and the centre are estimated on",
        "the training side of the fold; the whole set would leak test",
        paper="the whole data set",
    ),
)
"""Choices that no setting can change."""


def _all_choices() -> Mapping[OpenChoice, tuple[str, ...]]:
    found: dict[OpenChoice, tuple[str, ...]] = {}
    for path, known in settings_by_path(plain_form(TrialConfig)).items():
        if known.open_choice:
            found[known.open_choice] = (*found.get(known.open_choice, ()), path)
    return MappingProxyType(found | dict.fromkeys(_FIXED, ()))


OPEN_CHOICES = _all_choices()
"""Choice -> dotted paths of the settings that change it, in the config's order; choices without
settings come last."""


def choice_rows() -> list[tuple[str, ...]]:
    """The header and one row per choice, as cells."""
    rows = [
        (choice.what, choice.paper, choice.choice, ", ".join(settings), choice.source)
        for choice, settings in OPEN_CHOICES.items()
    ]
    return [HEADER, *rows]


def markdown_table() -> str:
    """All choices as a Markdown table, without a trailing newline."""
    return table_of(choice_rows())


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Rows, header first, as a Markdown table, without a trailing newline."""
    header, *others = rows
    lines = [header, ("---",) * len(header), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
