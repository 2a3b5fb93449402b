"""YAML is read with the numbers of YAML 1.2, within limits; every refusal is one line."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearing_search.errors import ConfigError
from bearing_search.filesystem.yaml_text import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_VALUES,
    parse_yaml,
    read_yaml,
    yaml_text,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1.5E+3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0x1f", 31),
        ("0o17", 15),
        ("-5", -5),
        ("0", 0),
        (str(MAX_INTEGER), MAX_INTEGER),
        ("yes", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("'1e-3'", "1e-3"),
        ("'2026-11-30'", "2026-11-30"),
        ("1.2.3", "1.2.3"),
        ("12e", "12e"),
        ("!!str 5", "5"),
    ],
)
def test_a_plain_value_is_what_yaml_1_2_says(text, value):
    found = parse_yaml(f"a: {text}", "s")["a"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        *((f"\na: {text}", "line 2: ") for text in ("010", "1_000", "1:30", "0b11", "2026-11-30")),
        *((f"a: {text}", "not a finite number") for text in (".inf", "-.INF", ".nan", "1e999")),
        (f"a: {MAX_INTEGER + 1}", "an integer beyond"),
        (f"a: {'9' * 400}", "an integer beyond"),
        ("a: !!set {x}", "!!set: no such type"),
        ("a: !!timestamp 2026-11-30", "!!timestamp: no such type"),
        ("a: !mine 1", "!mine: no such type"),
        ("a: !!int x", "'x' is not of the type int"),
        ("1: 2", "the key 1 must be text"),
        ("{[1]: 2}", "must be text"),
        ("a: 1\nb: 2\na: 3", "line 3: a appears twice"),
        ("a: [1, &x [2], {b: &y [*y]}]", "*y contains itself"),
        ("a: *x", "undefined alias"),
        (f"a: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}", f"deeper than {MAX_DEPTH} levels"),
        (f"a: [{'1, ' * MAX_VALUES}]", f"more than {MAX_VALUES} keys and values"),
        (f"a: &a [{'1, ' * 99}]\nb: [{'*a, ' * 100}]", f"more than {MAX_VALUES} keys and values"),
        (f"# {'x' * MAX_CHARACTERS}", f"at most {MAX_CHARACTERS}"),
        ("a: 1\nb: \x07", "line 2: the character U+0007"),
        ("a: 'x", "line 1"),
        ("a: 1\n---\nb: 2", "another document"),
    ],
)
def test_what_is_refused_is_said_in_one_line(text, complaint):
    with pytest.raises(ConfigError) as error:
        parse_yaml(text, "mine.yaml")

    assert str(error.value).startswith("mine.yaml")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_an_alias_repeats_a_value():
    assert parse_yaml("a: &x [1, 2]\nb: *x", "s") == {"a": [1, 2], "b": [1, 2]}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8")

    for file in (tmp_path / "missing.yaml", tmp_path, tmp_path / "picture.yaml"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_yaml(file)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | st.sampled_from(["1e-3", "010", "1_000", "1:30", "no", "2026-11-30", "=", "<<", "~", ".inf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=settings().max_examples // 3)
@given(st.dictionaries(_TEXT, _VALUES, max_size=4))
def test_what_is_written_is_read_back(content):
    found = parse_yaml(yaml_text(content, "s"), "s")

    assert json.dumps(found) == json.dumps(content)


def test_what_cannot_be_written_is_refused_in_one_line():
    inner: list[Any] = []
    inner.append(inner)

    for content in ({"a": {1, 2}}, {"a": object()}, {"a": inner}, {"a": {1: 2}}):
        with pytest.raises(ConfigError) as error:
            parse_yaml(yaml_text(content, "mine"), "mine")
        assert "\n" not in str(error.value)
