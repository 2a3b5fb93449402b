"""Generates the pages of docs/ that describe the config: settings and open choices.

    python -m bearing_search.cli.generated_docs

rewrites docs/settings.md and the table between the two marks in docs/method.md. A test checks that
they are up to date.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bearing_search.config import Setting, TrialConfig, plain_form, settings_by_path, to_plain
from bearing_search.reproduction.open_choices import markdown_table, table_of
from bearing_search.reproduction.pages import cell

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = "python -m bearing_search.cli.generated_docs"
BEGIN, END = f"<!-- written by {COMMAND} -->", "<!-- end of what it writes -->"
"""Marks in docs/method.md."""

_HEADER = ("setting", "default", "unit", "range", "paper", "meaning")
_INTRO = f"""\
# Settings

Written from `bearing_search/config/` by `{COMMAND}`: change a field
there, not this page.

A setting is named by its dotted path, in a search space ([spaces.md](spaces.md)) as in error
messages. Values are as in YAML; None in the text is `null` there. *range*: values outside it are
refused. *paper*: the section that states the default; *open*: the paper leaves it open, see
[method.md](method.md); empty: the paper does not state it.
"""


def settings_page() -> str:
    """Text of docs/settings.md: one table of settings per section of the config."""
    known, defaults = settings_by_path(plain_form(TrialConfig)), to_plain(TrialConfig())
    parts = [_INTRO]
    for prefix, form in _sections(plain_form(TrialConfig), ""):
        section = form if prefix else TrialConfig
        hints, said = get_type_hints(section), meanings(section)
        names = [name for name in hints if f"{prefix}{name}" in known]
        rows = [
            _row(f"{prefix}{name}", known[f"{prefix}{name}"], hints[name], defaults, said[name])
            for name in names
        ]
        title = f"`{prefix.rstrip('.')}`" if prefix else "The trial"
        about = " ".join((section.__doc__ or "").split())
        parts.append(f"## {title}\n\n{about}\n\n{table_of([_HEADER, *rows])}\n")
    return "\n".join(parts)


def meanings(config_type: type) -> dict[str, str]:
    """Field -> the string below it in a dataclass, on one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(config_type))).body
    found = {}
    for line, below in pairwise(getattr(body, "body", [])):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    found[line.target.id] = " ".join(text.split())
    return found


def with_open_choices(page: str) -> str:
    """Text of docs/method.md with an updated table of open choices."""
    before, rest = page.split(f"{BEGIN}\n")
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{markdown_table()}\n\n{END}{after}"


def _sections(config_type: Any, prefix: str) -> Iterator[tuple[str, type]]:
    yield prefix, config_type
    for item in fields(config_type):
        hint = get_type_hints(config_type)[item.name]
        if is_dataclass(hint):
            yield from _sections(hint, f"{prefix}{item.name}.")


def _row(path: str, known: Setting, hint: Any, defaults: Any, meaning: str) -> tuple[str, ...]:
    for name in path.split("."):
        defaults = defaults[name]
    paper = [known.paper] if known.paper else []
    paper += ["open"] if known.open_choice else []
    return (
        f"`{path}`",
        f"`{cell(json.dumps(defaults))}`",
        known.unit,
        _range(known, hint),
        ", ".join(paper),
        cell(meaning),
    )


def _range(known: Setting, hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    each = "each " if origin in (tuple, Mapping) else ""
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if hint is bool:
        return "`true`, `false`"
    if each and get_origin(args[-1]) is Literal:
        return f"each {_range(known, args[-1])}"
    none = ", or `null`" if type(None) in args else ""
    return f"{each}{known.within}{none}" if known.within else ""


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    method = DOCS / "method.md"
    method.write_text(with_open_choices(method.read_text("utf-8")), encoding="utf-8")
    print(f"written to {DOCS}")
