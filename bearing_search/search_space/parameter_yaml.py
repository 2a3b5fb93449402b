"""One parameter of a search-space file: which setting it may vary, and how."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

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
    FloatParameter,
    Parameter,
    SubsetParameter,
    read_parameter,
)

FROZEN_SECTIONS = ("protocol", "split")
"""Sections no parameter may vary: a better score under another ruler or fold plan is no better
model."""

_BUNDLE_NAME = re.compile(r"[^\W\d][\w-]*")


def parameter_of(path: Any, spec: Any) -> Parameter:
    """The parameter that a line of `vary` describes.

    Raises:
        ConfigError: no such setting, one that must not be varied, or no parameter for it.
    """
    try:
        parameter = read_parameter(spec)
    except ConfigError as error:
        if not (isinstance(spec, Mapping) and "bundle" in spec):
            _check_setting(path)  # a mistyped name is the likelier mistake
        raise ConfigError(f"{path}: {error}") from None
    if isinstance(parameter, BundleParameter):
        _check_bundle_name(path)
        for setting in parameter.paths:
            _check_setting(setting, of=f"{path}: ")
        return parameter
    _check_setting(path)
    if isinstance(parameter, FloatParameter) and setting_type(path) is int:
        raise ConfigError(f"{path}: it is a whole number; use int: [low, high]")
    if isinstance(parameter, SubsetParameter) and not is_layer_set(path):
        raise ConfigError(f"{path}: it is no set of layers; subset cannot vary it")
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
            f"{name}: no name for a bundle parameter; letters, digits, dash and underscore, "
            "beginning with a letter"
        )
    if any(path == name or path.startswith(f"{name}.") for path in config_paths(TrialConfig)):
        raise ConfigError(
            f"{name}: a bundle parameter needs a name of its own; this is a setting's"
        )


class UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's, refusing a key that appears twice.

        Raises:
            ConfigError: naming the key.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise ConfigError(f"{key} appears twice")
        return super().construct_mapping(node, deep=deep)
