"""How tests run: on all cores, and with the package's annotations checked at every call.

Types are checked by beartype, shapes by jaxtyping. jaxtyping's own hook (`--jaxtyping-packages`)
wraps every function, at 15 µs a call, which was a third of the suite's time; here only functions
with arrays in their annotations pay for that, and all others 1 µs for beartype. Nor does this hook
have all that the package imports (torch, Ray, ...) compiled anew, as jaxtyping's does where byte
code cannot be written.
"""

import ast
import dataclasses
import gc
import hashlib
import inspect
import os
import re
import sys
import typing
from functools import partial
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path
from unittest.mock import patch

import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, jaxtyped

PACKAGE = "bearing_search"
NAME = "__checked__"
"""What `checked` is called in the modules of the package."""

TYPE_ONLY = "__type_only__"
"""Where a module has the names that it imports for type checkers alone."""

MAX_WORKERS = 4
"""Each imports everything, torch and Ray too: 7 s of CPU and 1.5 GB."""

check_types = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(target):
    """A function whose annotations are checked at every call, or such a class."""
    if inspect.isclass(target):
        if dataclasses.is_dataclass(target) and "__init__" in vars(target):
            target.__init__ = checked(target.__init__)
        return target
    if isinstance(target, classmethod | staticmethod):
        return type(target)(checked(target.__func__))
    if isinstance(target, property):
        return property(*(f and checked(f) for f in (target.fget, target.fset, target.fdel)))
    if names_of(target) & target.__globals__.get(TYPE_ONLY, set()):
        return target  # imported for type checkers alone, so that nothing here knows it
    if any(has_array(resolved(a, target)) for a in target.__annotations__.values()):
        return jaxtyped(target, typechecker=check_types)
    return check_types(target)


def names_of(function) -> set[str]:
    """Names in the annotations that are text."""
    texts = [a for a in function.__annotations__.values() if isinstance(a, str)]
    return {name for text in texts for name in re.findall(r"\w+", text)}


def type_only_names(tree) -> set[str]:
    """What a module imports under `if TYPE_CHECKING:`."""
    blocks = [
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imports = [
        one for block in blocks for one in block if isinstance(one, ast.Import | ast.ImportFrom)
    ]
    return {alias.asname or alias.name for one in imports for alias in one.names}


def resolved(annotation, function):
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__)
    except NameError:  # a class that is being defined, or comes later
        return None


def has_array(annotation) -> bool:
    is_array = inspect.isclass(annotation) and issubclass(annotation, AbstractArray)
    return is_array or any(map(has_array, typing.get_args(annotation)))


class Decorating(ast.NodeTransformer):
    """Puts `checked` above all decorators of a class and below those of a function."""

    def visit_ClassDef(self, node):
        node.decorator_list.insert(0, ast.Name(NAME, ctx=ast.Load()))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.decorator_list.append(ast.Name(NAME, ctx=ast.Load()))
        return self.generic_visit(node)


class Loader(SourceFileLoader):
    tag = hashlib.md5(Path(__file__).read_bytes()).hexdigest()

    def source_to_code(self, data, path, **options):
        tree = ast.fix_missing_locations(Decorating().visit(ast.parse(data, path)))
        return compile(tree, path, "exec", dont_inherit=True, **options)

    def get_code(self, fullname):
        # decorated byte code lies beside the plain one
        named = partial(cache_from_source, optimization=f"checked{self.tag}")
        with patch("importlib._bootstrap_external.cache_from_source", named):
            return super().get_code(fullname)

    def exec_module(self, module):
        setattr(module, NAME, checked)
        setattr(module, TYPE_ONLY, type_only_names(ast.parse(Path(self.path).read_bytes())))
        super().exec_module(module)


class Finder:
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = Loader(fullname, spec.origin)
        return spec


assert PACKAGE not in sys.modules, f"{PACKAGE} was imported before its checks were installed"
sys.meta_path.insert(0, Finder())

gc.disable()  # what is imported stays: looking for rubbish in it took as long as importing it


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_unconfigure():
    gc.unfreeze()  # so that what is left at the end is taken down in order


@pytest.hookimpl(tryfirst=True)  # before that of pytest-xdist
def pytest_cmdline_main(config):
    """Folders are run by as many workers as there are cores; a file or a test in this process."""
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    option = config.option
    is_small = any(Path(argument.partition("::")[0]).is_file() for argument in config.args)
    if option.numprocesses is None and not (is_small or option.usepdb or option.collectonly):
        option.numprocesses = min(len(os.sched_getaffinity(0)), MAX_WORKERS)
        option.dist = "worksteal"
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # a core for each
