"""A public function that raises an error for its caller names it under `Raises:`."""

import ast
import inspect
from pathlib import Path

import bearing_search
from bearing_search import errors

PACKAGE = Path(bearing_search.__file__).parent
FOR_CALLERS = {name for name, one in vars(errors).items() if inspect.isclass(one)} | {
    "ValueError",
    "TimeoutError",
    "disk_full_error",
}


def functions(node, prefix=""):
    """Public functions and methods of public classes, with dotted names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
            if isinstance(child, ast.FunctionDef):
                yield prefix + child.name, child
            else:
                yield from functions(child, f"{child.name}.")


def raised(node):
    """Names of what a function raises itself, leaving out functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            cause = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            yield ast.unparse(cause)
        yield from raised(child)


def unsaid(source):
    """Public functions that raise what their docstring does not announce."""
    return [
        name
        for name, function in functions(ast.parse(source))
        if FOR_CALLERS & set(raised(function))
        and "Raises:" not in (ast.get_docstring(function) or "")
    ]


def commands():
    """Names of the commands, whose docstrings are their help pages."""
    from bearing_search.cli import COMMANDS
    from bearing_search.cli.commands.cache import cache

    listed = {one.target.partition(":")[2] for one in COMMANDS.values()}
    return listed | {one.callback.__name__ for one in cache.registered_commands}


def test_what_public_functions_raise_is_in_their_docstrings():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        names = unsaid(file.read_text(encoding="utf-8"))
        if file.parent == PACKAGE / "cli" / "commands":
            names = [name for name in names if name not in commands()]
        found += [f"{file.relative_to(PACKAGE)}: {name}" for name in names]
    assert found == []


def test_a_function_that_does_not_say_so_is_found():
    says_so = '"""Does.\n\n    Raises:\n        ConfigError: no.\n    """'
    raises = "raise ConfigError('no')"
    assert unsaid(f"def load():\n    '''Does.'''\n    if 1:\n        {raises}\n") == ["load"]
    assert unsaid(f"class A:\n  def load(self):\n    {raises}\n") == ["A.load"]
    assert unsaid(f"def load():\n    {says_so}\n    {raises}\n") == []
    assert unsaid(f"def _load():\n    {raises}\n") == []
