"""The house's limits: how many modules a folder holds, how long and how wide things may get.

Which floor imports which is import-linter's (`pyproject.toml`), statements and branches are ruff's.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

import bearing_search

PACKAGE = Path(bearing_search.__file__).parent
MOST_MODULES, MOST_MODULES_AT_THE_ROOT = 12, 6
MOST_PARAMETERS = 6
MOST_LINES = 250
WITH_EXPORTS = {".", "cli", "config", "runtime", "tracking"}
"""Folders whose `__init__.py` holds more than a docstring."""

VENDORS = {"ray", "optuna", "mlflow"}
VENDOR_FOLDERS = {"sweep/execution", "sweep/study", "sweep/planning", "tracking"}
"""Where vendors may be imported."""


def source(file):
    return (PACKAGE / file).read_text(encoding="utf-8")


FILES = [file.relative_to(PACKAGE).as_posix() for file in sorted(PACKAGE.rglob("*.py"))]
TREES = {file: ast.parse(source(file)) for file in FILES}


def folder_of(file):
    return Path(file).parent.as_posix()


def full_folders(files):
    """Folders that hold more modules than they may, with their number."""
    counts = Counter(folder_of(file) for file in files if Path(file).name != "__init__.py")
    most = {".": MOST_MODULES_AT_THE_ROOT}
    return {f: count for f, count in counts.items() if count > most.get(f, MOST_MODULES)}


def wide_functions(tree):
    """Functions and methods that take more parameters than they may."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            count = sum(one is not None and one.arg not in ("self", "cls") for one in every)
            if count > MOST_PARAMETERS:
                found.append(f"line {node.lineno}: {node.name} takes {count}")
    return found


def is_bare(tree):
    """Whether there is a docstring and nothing else."""
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def is_private(name):
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


def private_imports(tree):
    """Underscore names that are imported from a vendor."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        names = [start + one.name for one in node.names]
        private = [one for one in names if one.split(".")[0] in VENDORS and is_private(one)]
        found += [f"line {node.lineno}: {one}" for one in private]
    return found


def private_attributes(tree):
    """Underscore attributes of anything but `self` and `cls`."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


def offenders(look, files):
    """What a look finds, by file, where it finds anything."""
    return {file: found for file in files if (found := look(TREES[file]))}


def test_no_folder_holds_too_many_modules():
    assert full_folders(FILES) == {}


def test_no_module_is_too_long():
    lines = {file: len(source(file).splitlines()) for file in FILES}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_outside_the_command_line_takes_too_much():
    assert offenders(wide_functions, [f for f in FILES if not f.startswith("cli/")]) == {}


def test_inits_hold_a_docstring_only():
    inits = {folder_of(file): file for file in FILES if Path(file).name == "__init__.py"}
    assert inits.keys() == {folder_of(file) for file in FILES}
    assert {folder for folder, file in inits.items() if not is_bare(TREES[file])} <= WITH_EXPORTS


def test_private_api_of_vendors_is_used_in_one_module_for_each():
    others = [file for file in FILES if not file.endswith("/_vendor.py")]
    assert len(FILES) - len(others) == len(VENDORS)
    assert offenders(private_imports, others) == {}
    handled = [file for file in others if folder_of(file) in VENDOR_FOLDERS]
    assert offenders(private_attributes, handled) == {}


@pytest.mark.parametrize(
    ("look", "good", "bad"),
    [
        (
            wide_functions,
            "class A:\n  def f(self, a, b, c, *, d, e, f): ...",
            "def f(a, b, /, c, *d, e, f, **g): ...",
        ),
        (private_imports, "from ray import tune", "import ray._private.worker"),
        (private_imports, "from .a import _b", "from optuna.storages import _cached"),
        (private_attributes, "self._study.ask(study.__doc__)", "self._study._storage"),
        (private_attributes, "ray.worker", "ray._private.worker"),
    ],
)
def test_what_is_looked_for_is_found(look, good, bad):
    assert look(ast.parse(good)) == []
    assert len(look(ast.parse(bad))) == 1


def test_a_full_folder_is_found():
    names = [f"{'abcdefghijklm'[number]}.py" for number in range(13)]
    assert full_folders([*names[:6], "__init__.py", *(f"a/{name}" for name in names[:12])]) == {}
    assert full_folders([*names[:7], *(f"a/{name}" for name in names)]) == {".": 7, "a": 13}


def test_more_than_a_docstring_is_found():
    assert is_bare(ast.parse('"""What it is."""'))
    assert not is_bare(ast.parse(""))
    assert not is_bare(ast.parse('"""What it is."""\nfrom a import b'))
