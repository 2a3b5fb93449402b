"""Digests of configs that stay the same when settings are added.

Every setting has a reference value (`reference_values`). A sweep keeps the scheme it started with,
which is recorded in its `sweep.json`.

Scheme 1, for sweeps whose `sweep.json` names no scheme: all settings of `FIRST_SETTINGS`, and later
ones that differ from their reference value. The first eight hex digits.

Scheme 2: the seed, the settings that differ from their reference value in the sections that the
detector reads, and the number of the scheme. The first sixteen hex digits: with only eight, two of
ten thousand configs would collide with a probability of 1 %.

So a new setting whose default is its reference value changes no digest; one whose default changes
numbers changes the digest. The rules of a scheme are frozen: new rules need a new scheme.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from bearing_search.config.detector_table import DETECTORS
from bearing_search.config.reference_values import (
    ALWAYS_COUNTED,
    FIRST_SETTINGS,
    LATER_SETTINGS,
)

FIRST_SCHEME = 1
"""Scheme of sweeps whose `sweep.json` names no scheme."""

LATEST_SCHEME = 2
"""Scheme of new sweeps."""

_FIRST_SECTIONS = frozenset(path.partition(".")[0] for path in FIRST_SETTINGS)


def config_digest(plain: Mapping[str, Any], scheme: int = LATEST_SCHEME) -> str:
    """Hex digits that identify a config, the same on any machine.

    Args:
        plain: the config, as `to_plain` returns it.
        scheme: the sweep's.
    """
    return _named(counted_settings(plain, scheme), scheme)


def setting_digest(plain: Mapping[str, Any], scheme: int = LATEST_SCHEME) -> str:
    """Hex digits that identify a config without its seed; see `config_digest`."""
    counted = counted_settings(plain, scheme)
    del counted["seed"]
    return _named(counted, scheme)


def counted_settings(plain: Mapping[str, Any], scheme: int) -> dict[str, Any]:
    """The settings that the digest of a config is computed from, seed included, as nested mappings.

    Raises:
        ValueError: there is no such scheme.
    """
    match scheme:
        case 1:
            return stable_settings(plain)
        case 2:
            others = DETECTORS.keys() - {plain["detector"]}
            unread = others | DETECTORS[plain["detector"]].unread
            counted = {
                path: value
                for path, value in _settings(plain)
                if path.partition(".")[0] not in unread and not _is_reference(path, value)
            }
            return _nested(counted | {"seed": plain["seed"]})
    raise ValueError(f"digest scheme {scheme}; known are {FIRST_SCHEME} to {LATEST_SCHEME}")


def stable_settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A config as nested mappings, without later settings that have their reference value.

    First settings that have since been removed are filled in with their reference value. The
    section of a detector added since counts only if that detector is chosen.
    """
    others = DETECTORS.keys() - _FIRST_SECTIONS - {plain.get("detector")}
    found = {
        path: value for path, value in _settings(plain) if path.partition(".")[0] not in others
    }
    counted = {path: found.pop(path, value) for path, value in FIRST_SETTINGS.items()}
    added = {path: value for path, value in found.items() if not _is_reference(path, value)}
    return _nested(counted | added)


def digest_of(plain: Any) -> str:
    """Eight hex digits that identify a JSON-like value, independent of key order."""
    return _sha256(plain)[:8]


def _named(counted: Mapping[str, Any], scheme: int) -> str:
    if scheme == FIRST_SCHEME:
        return digest_of(counted)
    return _sha256({"scheme": scheme, "settings": counted})[:16]


def _settings(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of every setting; the value itself may be a mapping."""
    for name, value in plain.items():
        path = f"{prefix}{name}"
        is_setting = path in FIRST_SETTINGS or path in LATER_SETTINGS or path in ALWAYS_COUNTED
        if isinstance(value, Mapping) and not is_setting:
            yield from _settings(value, f"{path}.")
        else:
            yield path, value


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in settings.items():
        *sections, name = path.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return nested


def _is_reference(path: str, value: Any) -> bool:
    for settings in (FIRST_SETTINGS, LATER_SETTINGS):
        if path in settings:
            return _is_same(value, settings[path])
    return False


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON, where 1, 1.0 and true are different values."""
    if isinstance(one, (list, Mapping)):
        return _canonical(one) == _canonical(other)
    return type(one) is type(other) and bool(one == other)


def _canonical(plain: Any) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _sha256(plain: Any) -> str:
    return hashlib.sha256(_canonical(plain).encode()).hexdigest()
