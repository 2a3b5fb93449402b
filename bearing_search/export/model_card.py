"""The page about a detector that travels with it, as Markdown. No torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from bearing_search.config import DETECTORS
from bearing_search.runtime.schema import BundleFacts

CARD_FILE = "README.md"


def model_card(facts: BundleFacts) -> str:
    """The page: what it is, what it was made of, how it was chosen and checked."""
    origin, trial = facts.provenance, facts.trial
    lines = [
        f"# Detector of {origin.get('sweep', 'a sweep')}, trial {origin.get('trial', '?')}",
        "",
        f"{DETECTORS[trial.detector].title} on {trial.encoder.name} at {trial.encoder.input_px} "
        f"px for {', '.join(facts.parts)}; format {facts.format}, precision {facts.precision}, "
        f"exported {origin.get('created', '')} by bearing_search.",
        "",
        "Load it with `bearing_search.load_detector(FOLDER)`; check it with "
        "`python -m bearing_search bundle check FOLDER`. Regions of interest are found by the same "
        "code as in training, with the values in detector.json.",
        "",
        "## Verdicts",
        "",
        *_table(
            ["part", "OK below", "NG from", "rule", "normal samples set aside"],
            [
                [
                    name,
                    f"{part.thresholds.ok:.6g}",
                    f"{part.thresholds.ng:.6g}",
                    part.thresholds.rule,
                    str(origin.get("aside", {}).get(name, 0)),
                ]
                for name, part in facts.parts.items()
            ],
        ),
        "",
        "Scores between the two are `re-inspect`. A sample without a region of interest, with "
        "another number of brightness levels, or that cannot be read is never OK.",
        "",
        "## Compared with what was trained",
        "",
        *_parity(facts),
        "",
        "## Origin",
        "",
        *_table(["what", ""], [[key, _text(value)] for key, value in origin.items()]),
        "",
        "The licence of the weights is that of the encoder's pretrained weights, as their source "
        "states it. The folder `self_test` holds one training photograph of each part: remove "
        "nothing from it, and mind who may see it.",
        "",
        "## Not shown by this page",
        "",
        "How it does under other light, on other machines' parts, or on kinds of defects that "
        "training had none of. `evaluate` scores test once; see the line `test` above.",
        "",
    ]
    return "\n".join(lines)


def _parity(facts: BundleFacts) -> list[str]:
    rows = [
        [
            str(one["part"]),
            f"{one['compared']} + {one['adversarial']}",
            f"{one['largest']:.2g}",
            f"{one['tolerance']:.2g}",
            f"{one['nearest']:.2g}",
            str(len(one["flips"])),
        ]
        for one in facts.parity.get("parts", ())
    ]
    head = ["part", "samples + adversarial", "largest difference of scores", "allowed"]
    return _table([*head, "nearest score to a threshold", "verdicts that flip"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows)]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_text(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value)) or "none"
    return str(value)
