"""Spaces, data sets, command lines and damaged sweeps, each a function of a seed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np

from .values import NAMES, SCALARS, mutated

SPACES = Path(__file__).parents[2] / "search_spaces"

MANIFEST = """path,part,split,label,mask,group
good0.png,plate,train,good,,a
good1.png,plate,train,good,,b
good2.png,plate,train,good,,c
dent0.png,plate,train,dent,mask.png,d
dent1.png,plate,train,dent,mask.png,e
good3.png,plate,test,good,,f
dent2.png,plate,test,dent,mask.png,g
"""
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp949", "latin-1")
SEPARATORS = (",", ";", "\t", "|", " ")
COMMANDS = (
    "status",
    "compare",
    "check",
    "run",
    "resume",
    "train",
    "evaluate",
    "reproduce",
    "roi",
    "import",
    "cache ls",
    "cache prune",
    "cache limit",
    "cache verify",
    "unknown",
)
FLAGS = (
    "--results",
    "--trials",
    "--name",
    "--data",
    "--json",
    "--seed",
    "--concurrent",
    "--gpus-per-trial",
    "--cpus-per-trial",
    "--storage",
    "--tracking-uri",
    "--depot",
    "--time-budget",
    "--trial-timeout",
    "--max-size",
    "--keep",
    "--out",
    "--trial",
    "--folds",
    "--sampler",
    "--help",
    "--no-such-flag",
)
DAMAGES: tuple[tuple[str, Callable[[Path, Random], object]], ...] = (
    ("deleted", lambda file, _: file.unlink()),
    ("empty", lambda file, _: file.write_bytes(b"")),
    ("null", lambda file, _: file.write_bytes(b"null")),
    ("a list", lambda file, _: file.write_bytes(b"[1, 2]\n")),
    ("no text", lambda file, random: file.write_bytes(random.randbytes(200))),
    ("cut", lambda file, random: _cut(file, random)),
    ("a folder", lambda file, _: _make_folder(file)),
)
"""What happens to a file: what it is afterwards, and how."""


def search_space(random: Random) -> str:
    """The text of a shipped search space with one to four mistakes."""
    text = random.choice(sorted(SPACES.glob("*.yaml"))).read_text(encoding="utf-8")
    for _ in range(random.randint(1, 4)):
        text = mutated(text, random, SCALARS)
    return text


def write_data_set(root: Path, random: Random) -> None:
    """A small data set whose manifest has mistakes."""
    root.mkdir()
    pixels = np.random.default_rng(random.randrange(2**32))
    for name in ("good0", "good1", "good2", "good3", "dent0", "dent1", "dent2"):
        cv2.imwrite(str(root / f"{name}.png"), pixels.integers(0, 255, (12, 12), dtype=np.uint8))
    mask = np.zeros((12, 12), dtype=np.uint8)
    mask[3:5, 3:5] = 255
    cv2.imwrite(str(root / "mask.png"), mask)
    text = MANIFEST.replace(",", random.choice(SEPARATORS) if random.random() < 0.3 else ",")
    for _ in range(random.randrange(4)):
        text = mutated(text, random, SCALARS)
    if random.random() < 0.3:
        text = text.replace(random.choice(("good", "dent", "plate", "mask.png", "train")), "OK")
    encoding = random.choice(ENCODINGS)
    (root / "manifest.csv").write_bytes(text.encode(encoding, errors="replace"))


def command_line(random: Random) -> list[str]:
    """A command with odd arguments. None can start anything: their data do not exist."""
    command = random.choice(COMMANDS)
    odd = (*SCALARS, *NAMES)
    arguments = command.split()
    for _ in range(random.randrange(3)):
        arguments.append(random.choice(odd))
    for _ in range(random.randrange(4)):
        flag = random.choice(FLAGS)
        arguments += [flag] if random.random() < 0.3 else [flag, random.choice(odd)]
    if command in ("run", "train", "reproduce", "check", "roi", "import"):
        arguments += ["--data", "absent"] if command not in ("roi", "import") else []
    return arguments


def damage(folder: Path, random: Random) -> str:
    """Harm one file below a folder; returns which, and how."""
    file = random.choice(sorted(f for f in folder.rglob("*") if f.is_file()))
    name, harm = random.choice(DAMAGES)
    harm(file, random)
    return f"{file.relative_to(folder)}: {name}"


def _cut(file: Path, random: Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: random.randrange(len(content) + 1)])


def _make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def copied(source: Path, target: Path) -> Path:
    """A copy of a results folder, to be harmed."""
    shutil.copytree(source, target)
    return target
