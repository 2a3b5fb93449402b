"""One-expression mutants of a module, for benchmarks/mutants.py."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmin": "argmax"}
NAMES |= {"argmax": "argmin", "left": "right", "right": "left", "floor": "ceil", "ceil": "floor"}
UNTOUCHED = (ast.JoinedStr, ast.Raise, ast.arguments)
"""Texts, errors' texts, and annotations are left alone."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed expression of a module."""

    file: Path
    line: int
    change: str
    """As results/MUTANTS.md quotes it: `function: before -> after`."""

    source: str


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for parent, field, index, owner in _places(tree, "module"):
        held = getattr(parent, field)
        old = held if index is None else held[index]
        for new in _changed(old):
            _put(parent, field, index, new)
            yield Mutant(
                file=file,
                line=old.lineno,
                change=f"{owner}: {ast.unparse(old)} -> {ast.unparse(new)}",
                source=ast.unparse(ast.fix_missing_locations(tree)),
            )
        _put(parent, field, index, old)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _places(node: ast.AST, owner: str) -> Iterator[tuple[ast.AST, str, int | None, str]]:
    """Parent, field, index and function of every expression that may be changed."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        owner = node.name
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_untouched(child):
                continue
            if isinstance(child, ast.expr):
                yield node, field, index if isinstance(value, list) else None, owner
            yield from _places(child, owner)


def _is_untouched(node: ast.AST) -> bool:
    """Whether it is a text, a docstring, or `strict=` of a zip, which is an assertion."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_assertion = isinstance(node, ast.keyword) and node.arg == "strict"
    return isinstance(node, UNTOUCHED) or is_docstring or is_assertion


def _changed(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that replace one."""
    new = copy.copy(node)
    match node, new:
        case ast.Compare(ops=ops), ast.Compare():
            for changed in _compared(ops):
                new.ops = changed
                yield copy.copy(new)
        case ast.Constant(value=bool(value)), ast.Constant():
            new.value = not value
            yield new
        case ast.Constant(value=int() | float() as number), ast.Constant():
            for other in (number + 1, number - 1):
                new.value = other
                yield copy.copy(new)
        case ast.IfExp(body=body, orelse=orelse), _:
            yield body
            yield orelse
        case ast.UnaryOp(operand=operand), _:
            yield operand
        case _:
            yield from _renamed(node)


def _compared(ops: list[ast.cmpop]) -> Iterator[list[ast.cmpop]]:
    """The same comparisons with one of them changed."""
    for index, op in enumerate(ops):
        for kind in COMPARISONS[type(op)]:
            yield [*ops[:index], kind(), *ops[index + 1 :]]


def _renamed(node: ast.expr) -> Iterator[ast.expr]:
    """The same with another operation or function."""
    new = copy.copy(node)
    match node, new:
        case ast.BinOp(op=op), ast.BinOp() if type(op) in OPERATIONS:
            new.op = OPERATIONS[type(op)]()
            yield new
        case ast.BoolOp(op=op), ast.BoolOp():
            new.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield new
        case ast.Call(func=ast.Name(id=name)), ast.Call() if name in NAMES:
            new.func = ast.Name(id=NAMES[name], ctx=ast.Load())
            yield new
        case ast.Call(func=ast.Attribute(attr=name) as function), ast.Call() if name in NAMES:
            new.func = ast.Attribute(value=function.value, attr=NAMES[name], ctx=ast.Load())
            yield new
