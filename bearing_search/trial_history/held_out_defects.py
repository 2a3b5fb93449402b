"""On which held-out defects a trial was scored: real ones, or synthetic ones drawn on normals.

Scores on drawn defects say which of two settings is better only where both were scored on the same
ones: defects drawn elsewhere, or at another scale, are easier or harder to find.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.config import TrialConfig, to_plain
from bearing_search.filesystem.stored_file import naming_damage, read_json_object

_SECTIONS = ("preprocess", "protocol", "split")
"""Config sections that can change what is drawn."""

_BEFORE = "in pixels of the network's input, "
"""Begins the drawing of a trial of before defects were drawn in pixels of the original image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutDefects:
    """The defects that a trial's held-out folds were scored on."""

    parts: tuple[str, ...] = ()
    """Parts whose defects are drawn; empty: all are real."""

    sizes: tuple[str, ...] = ()
    """Where the sizes of the drawn defects come from."""

    drawing: str = ""
    """Equal where the same defects were drawn; empty where none are."""

    @property
    def text(self) -> str:
        """` on defects drawn on LC, SC`; empty: all are real."""
        return drawn_text(self.parts)


def held_out_defects(trial: Path, config: TrialConfig) -> HeldOutDefects:
    """What a trial of a search was scored on, from the tags in its folder."""
    tags = _tags(trial)
    parts = drawn_parts(trial)
    if not parts:
        return HeldOutDefects()
    drawn = _named(tags, "drawn/")
    drawing = " ".join(f"{key} {tags[f'drawn/{key}']}" for key in drawn)
    return HeldOutDefects(
        parts=parts,
        sizes=tuple(dict.fromkeys(tags[f"drawn_sizes/{p}"] for p in _named(tags, "drawn_sizes/"))),
        drawing=drawing or f"{_BEFORE}{config.encoder.input_px}",
    )


def drawn_parts(trial: Path) -> tuple[str, ...]:
    """Parts of a trial of a search whose held-out defects are drawn."""
    return tuple(_named(_tags(trial), "defects/", only="synthetic"))


def unmasked_parts(trial: Path) -> tuple[str, ...]:
    """Parts of a trial some or all of whose defects have no mask."""
    return tuple(sorted({key.split("/")[0] for key in _named(_tags(trial), "unmasked/")}))


def drawn_text(parts: Sequence[str]) -> str:
    """` on defects drawn on LC, SC`; empty for no parts."""
    return f" on defects drawn on {', '.join(parts)}" if parts else ""


def alike(drawings: Sequence[str], counted: Sequence[bool]) -> list[bool]:
    """Which settings were scored on the drawing that most of the counted ones share.

    Args:
        drawings: of each setting, best setting first; of equally frequent ones the first is taken.
        counted: which settings to count; none: all.
    """
    voters = [drawing for drawing, counts in zip(drawings, counted, strict=True) if counts]
    [(shared, _)] = Counter(voters or drawings).most_common(1)
    return [drawing == shared for drawing in drawings]


def why_drawn_otherwise(
    one: tuple[HeldOutDefects, TrialConfig], other: tuple[HeldOutDefects, TrialConfig]
) -> list[str]:
    """The settings by which what was drawn may differ, `path value, other value`."""
    (drawn, config), (drawn_too, config_too) = one, other
    ours, theirs = _flat(config), _flat(config_too)
    found = [
        f"{path} {json.dumps(ours[path])}, {json.dumps(theirs[path])}"
        for path in ours
        if ours[path] != theirs[path]
    ]
    is_old = [one.drawing.startswith(_BEFORE) for one in (drawn, drawn_too)]
    if all(is_old):
        sizes = config.encoder.input_px, config_too.encoder.input_px
        found.append(f"drawn in pixels of the input, encoder.input_px {sizes[0]}, {sizes[1]}")
    elif any(is_old):
        found.append("drawn by an earlier version of the code")
    return found or ["the images differ"]


def _tags(trial: Path) -> dict[str, str]:
    tags: dict[str, str] = {}
    for file in sorted(trial.glob("*/*/unit.json")):
        with naming_damage(file):
            tags |= read_json_object(file)["tags"]
    return tags


def _named(tags: Mapping[str, str], prefix: str, only: str | None = None) -> list[str]:
    """Sorted names of the tags with a prefix, without it; `only`: of those with this value."""
    return sorted(
        name.removeprefix(prefix)
        for name, value in tags.items()
        if name.startswith(prefix) and only in (None, value)
    )


def _flat(config: TrialConfig) -> dict[str, Any]:
    plain = to_plain(config)
    return dict(leaf for name in _SECTIONS for leaf in _leaves(name, plain[name]))


def _leaves(path: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for name, one in value.items() for leaf in _leaves(f"{path}.{name}", one)]
