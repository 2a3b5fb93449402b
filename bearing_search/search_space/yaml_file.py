"""Search-space files: a base trial (`base`) and what a sweep varies (`vary`).

A space is pure data: these two mappings, and optional lists of settings to run first (`enqueue`),
of `objectives` and of `constraints`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bearing_search.config import TrialConfig, config_paths, digest_of, parse, to_plain
from bearing_search.errors import ConfigError
from bearing_search.filesystem.yaml_text import parse_yaml, read_text
from bearing_search.search_space.conditions import conditions_of, topological_order, without_when
from bearing_search.search_space.objectives import objective_spec
from bearing_search.search_space.parameter_yaml import parameter_of
from bearing_search.search_space.parameters import BundleParameter, ChoiceParameter
from bearing_search.search_space.space import SearchSpace

_LISTS = {"enqueue", "objectives", "constraints"}


def load_search_space(file: Path) -> SearchSpace:
    """Read a search-space file and validate the extremes of every parameter.

    Raises:
        ConfigError: the file cannot be read, is not a space, or has an unknown or invalid setting.
    """
    return parse_search_space(read_text(file), str(file))


def parse_search_space(text: str, source: str) -> SearchSpace:
    """Parse a search space; `source` is its name in errors.

    Raises:
        ConfigError: as for `load_search_space`.
    """
    content = parse_yaml(text, source)
    try:
        return _space(content, text)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _space(content: Any, text: str) -> SearchSpace:
    match content:
        case {"base": dict(base), "vary": dict(vary), **rest} if vary and set(rest) <= _LISTS:
            pass
        case _:
            raise ConfigError(
                "expected two mappings, base (may be {}) and vary (at least one parameter), "
                f"optionally lists ({', '.join(sorted(_LISTS))}), and nothing else"
            )
    parse(TrialConfig, base)
    if len(vary) > (most := len(config_paths(TrialConfig))):
        raise ConfigError(f"vary has {len(vary)} parameters; there are only {most} settings")
    parameters = {path: parameter_of(path, without_when(spec)) for path, spec in vary.items()}
    conditions = conditions_of(parameters, vary)
    space = SearchSpace(
        base=base,
        parameters=topological_order(parameters, conditions),
        conditions=conditions,
        objective_spec=objective_spec(rest.get("objectives"), rest.get("constraints")),
        text=text,
        question=text.partition("\n")[0].lstrip("# ").strip() if text.startswith("#") else "",
    )
    for path, count in Counter(space.varied_settings).items():
        if count > 1:
            raise ConfigError(
                f"{path}: {count} parameters set it; each setting may have only one parameter"
            )
    for path, parameter in space.parameters.items():
        tried = [space.trial(suggestion) for suggestion in space.extremes(path)]
        if isinstance(parameter, BundleParameter):
            _refuse_twins(f"{path}: bundles", list(parameter.bundles), tried)
        elif isinstance(parameter, ChoiceParameter):
            _refuse_twins(f"{path}: choices", parameter.as_text(), tried)
    return replace(space, enqueued=_enqueued(space, rest.get("enqueue", [])))


def _enqueued(space: SearchSpace, listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise ConfigError("enqueue: expected a list of settings, as in [{finetune.epochs: 40}]")
    suggestions = []
    for number, entry in enumerate(listed, start=1):
        try:
            suggestions.append(space.completed(entry))
            space.trial(suggestions[-1])
        except ConfigError as error:
            raise ConfigError(f"enqueue {number}: {error}") from None
    return suggestions


def _refuse_twins(of: str, names: Sequence[str], tried: Sequence[TrialConfig]) -> None:
    firsts: dict[str, str] = {}
    for name, config in zip(names, tried, strict=True):
        if (twin := firsts.setdefault(digest_of(to_plain(config)), name)) != name:
            raise ConfigError(f"{of} {twin} and {name} have the same settings")
