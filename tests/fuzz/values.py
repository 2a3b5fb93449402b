"""Odd values that a person, a script or another program may write."""

from random import Random

SCALARS = (
    "",
    " ",
    "~",
    "null",
    "true",
    "no",
    "0",
    "-1",
    "1",
    "1.5",
    "1e-3",
    "1e400",
    ".nan",
    "inf",
    "010",
    "1_000",
    "12:30",
    "2026-11-30",
    "0x1F",
    "9" * 60,
    "dinomaly",
    "[]",
    "{}",
    "[1, 2]",
    "{a: 1}",
    "[[1], [2]]",
    "'1'",
    "word",
    "two words",
    "결함",
    "naïve",
    "a/b",
    "../x",
    "*",
    "%",
    "x" * 300,
    "-",
    "--help",
)
"""Texts of values."""

NAMES = (
    "one",
    "",
    " ",
    ".",
    "..",
    "../one",
    "a/b",
    "/absent",
    "-x",
    "x" * 300,
    "링",
    "tab\there",
    "bell\x07",
    "esc\x1b[31m",
    "line\nfeed",
    "100%",
    "what?",
    "#1",
    "a{b}",
    "$HOME",
    "~",
    "CON",
    "sqlite:///x",
)
"""Names of sweeps, parts, files."""


def mutated(text: str, random: Random, values: tuple[str, ...]) -> str:
    """A text with one line deleted, doubled, moved, cut or given another value."""
    lines = text.splitlines()
    if not lines:
        return random.choice(values)
    at = random.randrange(len(lines))
    match random.randrange(7):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(random.randrange(len(lines)), lines.pop(at))
        case 3:
            lines[at] = lines[at][: random.randrange(len(lines[at]) + 1)]
        case 4:
            lines[at] = "  " * random.randrange(3) + lines[at].lstrip()
        case 5:
            head, separator, _ = lines[at].partition(": ")
            lines[at] = f"{head}{separator or ': '}{random.choice(values)}"
        case _:
            lines.insert(at, f"{random.choice(('vary', 'base', 'x', ''))}: {random.choice(values)}")
    return "\n".join(lines) + "\n"
