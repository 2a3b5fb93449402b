"""One-expression mutants of a module, by cosmic-ray's operators; for benchmarks/mutants.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator

OPERATORS = (
    "AddNot",
    "NumberReplacer",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ZeroIterationForLoop",
    *(f"ReplaceUnaryOperator_Delete_{name}" for name in ("Not", "USub", "Invert")),
    *(
        f"ReplaceBinaryOperator_{pair}"
        for pair in (
            *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Pow_Mul", "Mod_Mul"),
            *("BitAnd_BitOr", "BitOr_BitAnd"),
        )
    ),
    *(
        f"ReplaceComparisonOperator_{pair}"
        for pair in (
            *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt"),
            *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
        )
    ),
)
"""Of cosmic-ray's: one or two wrong operators for each, not all eleven."""

SWAPPED = {"min": "max", "any": "all", "argmin": "argmax", "left": "right", "floor": "ceil"}
SWAPPED |= {after: before for before, after in SWAPPED.items()}


class SwapFunction(Operator):  # type: ignore[misc]
    """Replaces a function by its opposite, which cosmic-ray has no operator for."""

    def mutation_positions(self, node):
        """Where `min(` and its like stand."""
        if node.type == "name" and node.value in SWAPPED and node.get_next_leaf() == "(":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """The same call of the opposite function."""
        node.value = SWAPPED[node.value]
        return node

    @classmethod
    def examples(cls):
        """One example, which the base class asks for."""
        return (Example("min(x)", "max(x)"),)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed expression of a module."""

    file: Path
    line: int
    change: str
    """As results/MUTANTS.md quotes it: `function: line -> changed line`."""

    source: str


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every mutant of a module, operator by operator."""
    source = file.read_text(encoding="utf-8")
    lines = source.splitlines()
    for operator in (*(get_operator(f"core/{name}")() for name in OPERATORS), SwapFunction()):
        places = [
            (node, start)
            for node in ast_nodes(get_ast(source))
            for start, _ in operator.mutation_positions(node)
        ]
        for occurrence, (node, (line, column)) in enumerate(places):
            if _is_left_alone(node, lines[line - 1][:column]):
                continue
            changed = mutate_code(source, operator, occurrence)
            pairs = zip(lines, changed.splitlines(), strict=False)
            before, after = next(pair for pair in pairs if pair[0] != pair[1])
            owner = ASTQuery(node).get_definition_name() or "module"
            change = f"{owner}: {' '.join(before.split())} -> {' '.join(after.split())}"
            yield Mutant(file=file, line=line, change=change, source=changed)


def _is_left_alone(node, text_before: str) -> bool:
    """Whether it is no expression that runs: an annotation, a decorator, `strict=` (asserts)."""
    if text_before.endswith("strict=") or text_before.lstrip().startswith("@"):
        return True
    if node.parent is not None and node.parent.type == "parameters":  # `*` among parameters
        return True
    while node.parent is not None:
        child, node = node, node.parent
        is_return = node.type == "funcdef" and child not in (node.children[2], node.children[-1])
        is_field = node.type == "annassign" and child is node.children[1]
        if node.type == "tfpdef" or is_return or is_field:
            return True
    return False
