"""Detects changes in the code that scores depend on. No torch.

`science_digest.json` in the same folder has a digest of every module that scores depend on, and
the STAGES_VERSION that they belong to; a test compares them with the code. After changing such a
module, decide whether numbers change, raise STAGES_VERSION if they do, and record the new state:

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
"""Folders and modules of the package that can change a score. Of the stage cache and `filesystem`
only the digests count: a collision would confuse two entries."""

NOT_SCIENCE = ("data/demo", "preprocess/report", "training/plots")
"""Folders among them that cannot: pictures, and the demo data, whose digest a sweep records."""

_UNSEEN = ("type_params", "type_comment", "kind")
"""AST fields that depend on the Python version and carry no meaning here."""

_WORDING = ("unit", "paper", "open_choice")
"""Arguments of `config_field` that are only documentation."""


def current() -> dict[str, dict[str, int] | dict[str, str]]:
    """The record of the current code."""
    return {
        "stages": dict(STAGES_VERSION),
        "modules": {
            module.relative_to(PACKAGE).as_posix(): digest(module.read_text("utf-8"))
            for module in _modules()
        },
    }


def digest(source: str) -> str:
    """16 hex digits that identify a module's behaviour.

    Formatting, comments, docstrings, open choices and the wording of settings do not count.
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
    """Removes the documentation of settings from a module."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # name required by ast
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
    """Name of the function that an expression calls; empty if it is not a call by name."""
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
    """Whether a node is a docstring of a module, class, function or attribute."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


if __name__ == "__main__":
    RECORD.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
    print(f"written to {RECORD}; commit it")
