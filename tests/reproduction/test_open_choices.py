from bearing_search.config import TrialConfig, config_paths
from bearing_search.reproduction.open_choices import HEADER, OPEN_CHOICES, choice_rows


def test_a_choice_names_the_settings_that_carry_it_in_the_order_of_the_config():
    paths = config_paths(TrialConfig)
    named = [setting for settings in OPEN_CHOICES.values() for setting in settings]
    firsts = [settings[0] for settings in OPEN_CHOICES.values() if settings]

    assert len(set(named)) == len(named)
    assert set(named) <= set(paths)
    assert firsts == sorted(firsts, key=paths.index)
    by_question = {choice.what: settings for choice, settings in OPEN_CHOICES.items()}
    assert by_question["learning rates of the fine-tuning"] == (
        "finetune.encoder_lr",
        "finetune.head_lr",
        "finetune.layer_decay",
    )


def test_choices_that_no_setting_changes_come_last():
    has_settings = [bool(settings) for settings in OPEN_CHOICES.values()]
    assert has_settings == sorted(has_settings, reverse=True)
    assert has_settings.count(False) == 3


def test_every_setting_of_the_fine_tuning_is_the_papers_or_an_open_choice():
    papers = {"reconstruction_only_epochs", "alternation_period", "ssim_layers"}
    named = {s.rpartition(".")[2] for settings in OPEN_CHOICES.values() for s in settings}
    own = {p.removeprefix("finetune.") for p in config_paths(TrialConfig) if "finetune." in p}
    assert own - named == papers


def test_every_question_is_asked_once_and_answered():
    assert len({choice.what for choice in OPEN_CHOICES}) == len(OPEN_CHOICES)
    for choice in OPEN_CHOICES:
        assert all((choice.what, choice.paper, choice.choice, choice.source))
    for row in choice_rows():
        assert len(row) == len(HEADER)
        assert "|" not in "".join(row)
