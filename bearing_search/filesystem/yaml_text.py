"""Reads and writes YAML: plain values only, numbers as in YAML 1.2, within limits.

PyYAML reads YAML 1.1, in which `1e-3` is text, `010` is 8 and `12:30` is 750. Here `1e-3` is a
number; other text that is a number or a date in YAML 1.1 only, or another number, is refused, as is
what JSON cannot hold. `yes`, `no`, `on` and `off` are booleans, as PyYAML's users expect.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bearing_search.errors import ConfigError

MAX_CHARACTERS = 256 * 1024
"""Maximum length of a text."""

MAX_VALUES = 10_000
"""Maximum number of keys and values, those of repeated aliases included."""

MAX_DEPTH = 30
"""Maximum number of nested lists and mappings."""

MAX_INTEGER = 2**63 - 1
"""Largest integer, and with a minus sign the smallest; databases store no larger ones."""

_TAG = "tag:yaml.org,2002:"
_AMBIGUOUS = "ambiguous"
_DIGITS = "0123456789"
_RESOLVERS: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("bool", r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "yYnNoO"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", f"-+{_DIGITS}"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        f"-+.{_DIGITS}",
    ),
    (
        _AMBIGUOUS,
        r"[-+]?0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"  # 010
        r"|[-+]?\.?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"  # 1_000
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"  # 12:30
        r"|[-+]?0b[01_]+|[-+]0x[0-9a-fA-F_]+"
        r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?",  # 2026-11-30
        f"-+.{_DIGITS}",
    ),
)
"""Tag, form of its plain scalars, and their first characters; the first match counts."""


def read_yaml(file: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: as for `read_text` and `parse_yaml`.
    """
    return parse_yaml(read_text(file), str(file))


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: it cannot be read, or is too large or not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(4 * MAX_CHARACTERS + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file}: cannot be read: {reason}") from None
    return text.replace("\r\n", "\n")


def parse_yaml(text: str, source: str) -> Any:
    """The content of a YAML text: None, booleans, numbers, text, lists, dicts whose keys are text.

    Args:
        text: at most `MAX_CHARACTERS`.
        source: its name in errors.

    Raises:
        ConfigError: it is not YAML, has a value of another kind, a key twice, or exceeds a limit of
            this module; names the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{source}: {len(text)} characters; at most {MAX_CHARACTERS}")
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader with fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or error.context or "not YAML").replace("\n", " ")
        raise ConfigError(f"{source}, line {line}: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}, line {line}: the character U+{error.character:04X} is not allowed in YAML"
        ) from None


def yaml_text(content: Mapping[str, Any], source: str) -> str:
    """A mapping as YAML that `parse_yaml` reads again, in the mapping's order.

    Args:
        content: plain values.
        source: its name in errors.

    Raises:
        ConfigError: it holds another kind of object, or is nested too deeply.
    """
    try:
        return yaml.dump(
            dict(content),
            Dumper=_Dumper,
            sort_keys=False,
            default_flow_style=None,  # the innermost lists and mappings in one line
            allow_unicode=True,
            width=100,
        )
    except yaml.representer.RepresenterError as error:
        raise ConfigError(
            f"{source}: {error.args[-1]!r} cannot be written as YAML; use plain numbers, text, "
            "lists and mappings"
        ) from None
    except RecursionError:
        raise ConfigError(f"{source}: nested deeper than {MAX_DEPTH} levels") from None


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """Composes within limits, and constructs plain values only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._num_values = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node; one that an alias repeats counts again with all that it holds."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # untyped in PyYAML
        is_alias, before = isinstance(event, yaml.AliasEvent), self._num_values
        self._depth += 1
        self._num_values += 1
        self._check_limits(event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not is_alias:
            self._sizes[id(node)] = self._num_values - before
        elif id(node) not in self._sizes:
            raise _refusal(f"*{event.anchor} contains itself", event.start_mark)
        else:
            self._num_values += self._sizes[id(node)]
            self._check_limits(event.start_mark)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping node as a dict, if its keys are text and differ."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
                shown = f"{key.value} " if isinstance(key, yaml.ScalarNode) else ""
                raise _refusal(f"the key {shown}must be text; put it in quotes", key.start_mark)
            if key.value in seen:
                raise _refusal(f"{key.value} appears twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def _check_limits(self, mark: yaml.Mark) -> None:
        if self._depth > MAX_DEPTH:
            raise _refusal(f"nested deeper than {MAX_DEPTH} levels", mark)
        if self._num_values > MAX_VALUES:
            raise _refusal(f"more than {MAX_VALUES} keys and values", mark)


class _Dumper(yaml.SafeDumper):
    """Quotes text that `_Loader` would not read as text."""


def _plain(loader: Any, node: Any) -> Any:
    """The value of a scalar that is null, a boolean or a number.

    Raises:
        MarkedYAMLError: it is none of these, or out of range.
    """
    text, kind = str(loader.construct_scalar(node)), node.tag.removeprefix(_TAG)
    if loader.resolve(yaml.ScalarNode, text, (True, False)) != node.tag:
        raise _refusal(f"{text!r} is not of the type {kind}", node.start_mark)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if kind == "int":
        # Python refuses to convert very long ones
        value = int(text, 0) if len(text) <= 2 * len(str(MAX_INTEGER)) else MAX_INTEGER + 1
        if abs(value) > MAX_INTEGER:
            raise _refusal(f"an integer beyond {MAX_INTEGER}", node.start_mark)
        return value
    number = float(re.sub(r"\.(?=[a-zA-Z])", "", text))
    if not math.isfinite(number):
        raise _refusal(f"{text}: not a finite number", node.start_mark)
    return number


def _refuse_ambiguous(loader: yaml.SafeLoader, node: Any) -> Any:
    raise _refusal(
        f"{node.value}: YAML 1.1 and 1.2 read this differently; write a plain number, as in 10 or "
        "1000.5, or put text in quotes",
        node.start_mark,
    )


def _refuse_tag(loader: yaml.SafeLoader, node: Any) -> Any:
    name = node.tag.replace(_TAG, "!!")
    raise _refusal(
        f"{name}: no such type here; use numbers, text, true, false, null, lists, mappings",
        node.start_mark,
    )


def _set_up() -> None:
    """Replace the types of PyYAML, which both classes would inherit."""
    constructors: dict[Any, Any] = {
        f"{_TAG}str": yaml.SafeLoader.construct_yaml_str,
        f"{_TAG}seq": yaml.SafeLoader.construct_yaml_seq,
        f"{_TAG}map": yaml.SafeLoader.construct_yaml_map,
        f"{_TAG}{_AMBIGUOUS}": _refuse_ambiguous,
        None: _refuse_tag,
    }
    constructors |= {f"{_TAG}{kind}": _plain for kind in ("null", "bool", "int", "float")}
    _Loader.yaml_constructors = constructors
    for one in (_Loader, _Dumper):
        one.yaml_implicit_resolvers = {}
        for kind, form, first in _RESOLVERS:
            characters = [*first, ""] if kind == "null" else list(first)
            one.add_implicit_resolver(f"{_TAG}{kind}", re.compile(f"^(?:{form})$"), characters)


_set_up()
