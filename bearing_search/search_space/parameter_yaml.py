"""Parsing of the parameters in a search-space file."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bearing_search.config import (
    TrialConfig,
    config_paths,
    is_layer_set,
    no_such_setting,
    setting_type,
)
from bearing_search.errors import ConfigError
from bearing_search.search_space.parameters import (
    BundleParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    SubsetParameter,
)

FROZEN_SECTIONS = ("protocol", "split")
"""Sections that cannot be varied: scores under other protocols or folds are not comparable."""

MAX_VALUES = 1000
"""Maximum number of values of a choice, members of a subset, bundles of a bundle parameter."""

_BUNDLE_NAME = re.compile(r"[^\W\d][\w-]*")


def parameter_of(path: Any, spec: Any) -> Parameter:
    """The parameter described by an entry of `vary`.

    Raises:
        ConfigError: unknown setting, one that cannot be varied, or an invalid parameter.
    """
    try:
        _refuse_many(spec)
        parameter = _read_parameter(spec)
    except ConfigError as error:
        if not (isinstance(spec, Mapping) and "bundle" in spec):
            _check_setting(path)  # a misspelt name is the likelier mistake
        raise ConfigError(f"{path}: {error}") from None
    if isinstance(parameter, BundleParameter):
        _check_bundle_name(path)
        for setting in parameter.paths:
            _check_setting(setting, of=f"{path}: ")
        return parameter
    _check_setting(path)
    if isinstance(parameter, FloatParameter) and setting_type(path) is int:
        raise ConfigError(f"{path}: must be a whole number; use int: [low, high]")
    if isinstance(parameter, SubsetParameter) and not is_layer_set(path):
        raise ConfigError(f"{path}: not a set of layers; subset cannot vary it")
    return parameter


def _check_setting(path: Any, *, of: str = "") -> None:
    known = config_paths(TrialConfig)
    if path not in known:
        raise ConfigError(f"{of}cannot vary {no_such_setting(str(path), known)}")
    if path.split(".")[0] in FROZEN_SECTIONS:
        raise ConfigError(f"{of}cannot vary {path}: scores would no longer be comparable")


def _check_bundle_name(name: Any) -> None:
    if not isinstance(name, str) or not _BUNDLE_NAME.fullmatch(name):
        raise ConfigError(
            f"{name}: not a valid name for a bundle parameter; use letters, digits, dash and "
            "underscore, starting with a letter"
        )
    if any(path == name or path.startswith(f"{name}.") for path in config_paths(TrialConfig)):
        raise ConfigError(
            f"{name}: this is the name of a setting; a bundle parameter needs another name"
        )


def _refuse_many(spec: Any) -> None:
    for kind, values in spec.items() if isinstance(spec, Mapping) else ():
        if isinstance(values, list | dict) and len(values) > MAX_VALUES:
            raise ConfigError(f"{kind} of {len(values)}; at most {MAX_VALUES}")


def _read_parameter(spec: Any) -> Parameter:
    """A parameter from its YAML form.

    Raises:
        ConfigError: unknown form, or bounds without any value in between.
    """
    match spec:
        case {"int": [low, high, *step], **rest} if not rest and len(step) < 2:
            return _int_parameter(low, high, *step)
        case {"float": [low, high], **rest} if not rest:
            return _float_parameter(low, high, log=False)
        case {"log": [low, high], **rest} if not rest:
            return _float_parameter(low, high, log=True)
        case {"choice": [_, _, *_] as choices, **rest} if not rest:
            return _choice_parameter(choices)
        case {"bundle": dict(bundles), **rest} if not rest and len(bundles) >= 2:
            return _bundle_parameter(bundles)
        case {"subset": [_, *_] as members, "empty": [_, *_] as empty, **rest} if not rest:
            return _subset_parameter(members, empty)
        case {"subset": _, **rest} if not rest:
            raise ConfigError(
                "subset also needs a substitute for the empty set, as in "
                "{subset: [9, 10, 11, 12], empty: [12]}"
            )
    raise ConfigError(
        f"{json.dumps(spec, default=str)} is not a parameter; use one of {{int: [low, high]}}, "
        "{int: [low, high, step]}, {float: [low, high]}, {log: [low, high]}, "
        "{choice: [a, b, ...]}, {subset: [layers], empty: [layers]}, "
        "{bundle: {name: {setting: value, ...}, ...}}"
    )


def _int_parameter(low: Any, high: Any, step: Any = 1) -> IntParameter:
    for bound in (low, high, step):
        if isinstance(bound, bool) or not isinstance(bound, int):
            raise ConfigError(f"int takes whole numbers, found {bound!r}")
    if step < 1 or low >= high:
        raise ConfigError(f"int [{low}, {high}, {step}]: low must be below high, step at least 1")
    if (high - low) % step:
        raise ConfigError(
            f"int [{low}, {high}, {step}]: no whole number of steps leads from {low} to {high}; "
            f"the last value is {high - (high - low) % step}"
        )
    return IntParameter(low=low, high=high, step=step)


def _float_parameter(low: Any, high: Any, *, log: bool) -> FloatParameter:
    kind = "log" if log else "float"
    try:
        bounds = [float(bound) for bound in (low, high)]
    except (TypeError, ValueError):
        raise ConfigError(f"{kind} takes numbers, found {low!r} and {high!r}") from None
    if not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        raise ConfigError(f"{kind} [{low}, {high}]: low must be below high, both finite")
    if log and bounds[0] <= 0:
        raise ConfigError(f"log [{low}, {high}]: low must be above 0")
    return FloatParameter(low=bounds[0], high=bounds[1], log=log)


def _choice_parameter(choices: Sequence[Any]) -> ChoiceParameter:
    texts = [json.dumps(choice) for choice in choices]
    if len(set(texts)) != len(texts):
        raise ConfigError(f"choice {texts}: a value appears twice")
    return ChoiceParameter(choices=tuple(choices))


def _subset_parameter(members: Sequence[Any], empty: Sequence[Any]) -> SubsetParameter:
    if any(isinstance(m, bool) or not isinstance(m, int) for m in (*members, *empty)):
        raise ConfigError(f"subset takes layer numbers, found {list(members)}, {list(empty)}")
    if len(set(members)) != len(members):
        raise ConfigError(f"subset {list(members)}: a layer appears twice")
    if set(empty) - set(members) or len(set(empty)) != len(empty):
        raise ConfigError(f"empty: {list(empty)} is not a subset of {list(members)}")
    return SubsetParameter(members=tuple(members), empty=tuple(empty))


def _bundle_parameter(bundles: Mapping[Any, Any]) -> BundleParameter:
    for name, settings in bundles.items():
        if not isinstance(settings, Mapping):
            raise ConfigError(f"bundle {name}: expected settings and their values, or {{}}")
    return BundleParameter(bundles=bundles)
