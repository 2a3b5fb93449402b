"""Whether the code behind the numbers has changed since somebody last looked. No torch.

`science_digest.json` beside this file holds a digest of every module that a score depends on, and
the STAGES_VERSION they belong to. A test compares. Whoever changes such a module decides whether
numbers move, raises STAGES_VERSION if they do, and records the new state:

    python -m bearing_search.science_digest
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from bearing_search.filesystem.digest import sha256_of_text
from bearing_search.stage_cache.key import STAGES_VERSION

PACKAGE = Path(__file__).parent
RECORD = Path(__file__).with_suffix(".json")
SCIENCE = (
    *("config", "data", "preprocess", "models", "evaluation", "training", "trial.py"),
    *("stage_cache/key.py", "filesystem/digest.py"),
)
"""Folders and modules below the package that can move a score. Of the stage cache and of what
writes files, only what names contents counts: if two had one name, one would be taken for the
other."""

NOT_SCIENCE = ("data/demo", "preprocess/report", "training/plots")
"""Folders among them that cannot: pictures, and data of its own, which a sweep records."""

_UNSEEN = ("type_params", "type_comment", "kind")
"""Fields that depend on the version of Python, and say nothing."""

_WORDING = ("unit", "paper", "open_choice")
"""What `config_field` is given for people alone, after its default and its range."""


def current() -> dict[str, dict[str, int] | dict[str, str]]:
    """What would be recorded now."""
    return {
        "stages": dict(STAGES_VERSION),
        "modules": {
            module.relative_to(PACKAGE).as_posix(): digest(module.read_text("utf-8"))
            for module in _modules()
        },
    }


def digest(source: str) -> str:
    """16 hex digits of what a module does.

    Layout, comments, docstrings, open choices and the wording of settings do not count.
    """
    tree = _WithoutWording().visit(ast.parse(source))
    return sha256_of_text("".join(_words(tree)))[:16]


def _modules() -> Iterator[Path]:
    unread = [PACKAGE / name for name in NOT_SCIENCE]
    for place in (PACKAGE / name for name in SCIENCE):
        for module in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if not any(module.is_relative_to(folder) for folder in unread):
                yield module


class _WithoutWording(ast.NodeTransformer):
    """Takes out of a module what its settings say to people."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # the name ast looks for
        if _called(node) == "OpenChoice":
            node.args, node.keywords = [], []
        elif _called(node) == "config_field":
            node.args = node.args[:2]  # the third one is the unit
            node.keywords = [each for each in node.keywords if each.arg not in _WORDING]
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if _called(node.value) == "OpenChoice" else self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST | None:
        return None if node.name == "OpenChoice" else node


def _called(node: ast.expr) -> str:
    """The name that an expression calls; empty: it calls none."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _words(node: object) -> Iterator[str]:
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if name not in _UNSEEN and value not in (None, []):
                yield f" {name}="
                yield from _words(value)
        yield ")"
    elif isinstance(node, list):
        for one in node:
            if not _is_text(one):
                yield from _words(one)
    else:
        yield repr(node)


def _is_text(node: object) -> bool:
    """A docstring, of a module, class, function or attribute."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


if __name__ == "__main__":
    RECORD.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
    print(f"written to {RECORD}; commit it")
