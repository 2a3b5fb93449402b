from pathlib import Path

from bearing_search.config import TrialConfig, config_paths
from bearing_search.reproduction.open_choices import HEADER, OPEN_CHOICES, markdown_table

PAGE = Path(__file__).parents[2] / "docs/method.md"


def test_the_page_shows_every_choice():
    assert markdown_table() in PAGE.read_text("utf-8")


def test_settings_that_are_named_exist():
    known = set(config_paths(TrialConfig))
    assert [s for choice in OPEN_CHOICES for s in choice.settings if s not in known] == []


def test_every_setting_of_the_fine_tuning_is_the_papers_or_an_open_choice():
    papers = {"reconstruction_only_epochs", "alternation_period", "ssim_layers"}
    named = {s.rpartition(".")[2] for choice in OPEN_CHOICES for s in choice.settings}
    own = {p.removeprefix("finetune.") for p in config_paths(TrialConfig) if "finetune." in p}
    assert own - named == papers


def test_every_question_is_asked_once_and_answered():
    assert len({choice.what for choice in OPEN_CHOICES}) == len(OPEN_CHOICES)
    for choice in OPEN_CHOICES:
        assert len(choice.cells) == len(HEADER)
        assert all((choice.what, choice.paper, choice.choice, choice.source))
        assert "|" not in "".join(choice.cells)
