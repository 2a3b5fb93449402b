"""Names of train and test that look like one physical thing: a hint, never a proof.

Numbered files say nothing: every MVTec folder has its own 000.png. So a name counts only if it
holds a letter and a digit, and names of folders only if they do not simply begin anew.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding, image_of

_VIEW = re.compile(
    r"(?P<thing>.*\d)[ _.-]*(?P<view>[a-z]|(?:view|cam|camera|side|shot|pose|angle|rot)[ _.-]*\d+"
    r"|top|bottom|left|right|front|back|\d+deg)"
)
_RESTARTS = 0.5
"""Share of equal names from which numbering is held to begin anew in every folder."""


def shared_names(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Warnings on groups of one part that stand on both sides under different names."""
    sides: dict[str, dict[str, Sample]] = {"train": {}, "test": {}}
    for sample in samples:
        sides[sample.split].setdefault(_own_name(sample), sample)
    train, test = sides["train"], sides["test"]
    equal = set(train) & set(test)
    if equal and len(equal) >= _RESTARTS * min(len(train), len(test)):
        return
    things: dict[str, list[Sample]] = defaultdict(list)
    for name, sample in train.items():
        things[thing_of(name)].append(sample)
    for name, sample in test.items():
        for other in things[thing_of(name)] if thing_of(name) else ():
            if other.group != sample.group:
                yield _finding(other, sample)


def thing_of(name: str) -> str:
    """A name without case, zero padding, separators and view; empty where it names nothing.

    `Ring_007_a`, `ring7-b` and `ring07 view2` are one thing; `000` and `good` are none.
    """
    plain = name.casefold()
    match = _VIEW.fullmatch(plain)
    thing = match["thing"] if match else plain
    if not (re.search(r"[^\W\d_]", thing) and re.search(r"\d", thing)):
        return ""
    return re.sub(r"0*(\d+)", r"\1", re.sub(r"[ _.-]+", " ", thing)).replace(" ", "")


def _own_name(sample: Sample) -> str:
    """The group as the manifest has it, or the sample's own name."""
    is_given = sample.group != f"{sample.part}/{sample.split}/{sample.defect}/{sample.name}"
    return sample.group if is_given else sample.name


def _finding(train: Sample, test: Sample) -> Finding:
    return Finding(
        severity="warning",
        kind="name",
        part=train.part,
        text=f"{test.title} and {train.title}: by their names ({_own_name(test)}, "
        f"{_own_name(train)}) they look like one thing on both sides",
        advice="If they are, give them one group in manifest.csv and keep it on one side",
        samples=(test.title, train.title),
        files=(image_of(test), image_of(train)),
    )
