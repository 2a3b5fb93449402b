from dataclasses import dataclass

import pytest

from bearing_search.cli.generated_docs import (
    COMMAND,
    DOCS,
    meanings,
    settings_page,
    with_open_choices,
)
from bearing_search.config import TrialConfig, config_paths


def test_the_pages_say_what_the_config_says():
    method = (DOCS / "method.md").read_text("utf-8")
    assert (DOCS / "settings.md").read_text("utf-8") == settings_page(), f"run {COMMAND}"
    assert method == with_open_choices(method), f"run {COMMAND}"


def test_every_setting_has_a_row_with_its_meaning():
    page = settings_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == config_paths(TrialConfig)
    assert all(len(row.split(" | ")) == 6 and not row.endswith("|  |") for row in rows)


@pytest.mark.parametrize(
    "row",
    [
        "| `finetune.trainable_blocks` | `null` | blocks | at least 0, or `null` | open |",
        "| `finetune.ssim_layers` | `[11, 12]` | blocks | each at least 1 | 3.2 |",
        "| `augment.rotation_deg` | `15.0` | deg | in [0, 180] | 4.1, open |",
        '| `finetune.patch_head` | `"linear"` |  | `linear`, `mlp` | open |',
        "| `preprocess.circle.refine` | `true` |  | `true`, `false` |  |",
    ],
)
def test_a_row_tells_default_unit_range_and_what_the_paper_says(row):
    assert row in settings_page()


@dataclass
class Three:
    first: int = 1
    """One line,
    and another."""

    second: int = 2
    third: int = 3
    """The last."""


def test_a_meaning_is_the_string_below_the_field():
    assert meanings(Three) == {"first": "One line, and another.", "third": "The last."}


def test_only_the_table_between_the_marks_is_written():
    page = with_open_choices((DOCS / "method.md").read_text("utf-8"))
    stale = page.replace("| length of the fine-tuning |", "| how long |")
    assert stale != page
    assert with_open_choices(stale) == page
    longer = f"before\n{page}after\n"
    assert with_open_choices(longer) == longer
