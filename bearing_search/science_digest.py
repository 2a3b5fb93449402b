"""Whether the code behind the numbers has changed since somebody last looked. No torch.

`science_digest.json` beside this file holds a digest of every module that a score depends on, and
the STAGES_VERSION they belong to. A test compares. Whoever changes such a module decides whether
numbers move, raises STAGES_VERSION if they do, and records the new state:

    python -m bearing_search.science_digest
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from bearing_search.stage_cache.key import STAGES_VERSION

PACKAGE = Path(__file__).parent
RECORD = Path(__file__).with_suffix(".json")
SCIENCE = (
    *("config", "data", "preprocess", "models", "evaluation", "training", "stage_cache"),
    *("filesystem/atomic.py", "trial.py"),
)
"""Folders and modules below the package that can move a score."""

_UNSEEN = ("type_params", "type_comment", "kind")
"""Fields that depend on the version of Python, and say nothing."""


def current() -> dict[str, dict[str, int] | dict[str, str]]:
    """What would be recorded now."""
    files = [PACKAGE / name for name in SCIENCE]
    modules = [m for f in files for m in (sorted(f.rglob("*.py")) if f.is_dir() else [f])]
    digests = {m.relative_to(PACKAGE).as_posix(): digest(m.read_text("utf-8")) for m in modules}
    return {"stages": dict(STAGES_VERSION), "modules": digests}


def digest(source: str) -> str:
    """16 hex digits of what a module does: layout, comments and docstrings do not count."""
    text = "".join(_words(ast.parse(source)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
