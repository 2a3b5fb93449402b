import json
import pickle
from dataclasses import fields, is_dataclass, replace
from importlib import import_module

import pytest

from bearing_search.config import (
    DETECTORS,
    DetectorSpec,
    DinomalyConfig,
    MapSpec,
    PatchCoreConfig,
    TrialConfig,
    VitadConfig,
    config_paths,
    is_layer_set,
    parse,
    setting_type,
    to_plain,
)
from bearing_search.errors import ConfigError
from bearing_search.evaluation.anomaly_maps import PostprocessSpec
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.training.plan import detector_iterations


@pytest.mark.parametrize("name", DETECTORS)
def test_every_entry_stands_for_something_that_exists(name):
    spec = DETECTORS[name]
    module, _, function = spec.build.partition(":")

    assert callable(getattr(import_module(module), function))
    assert is_dataclass(spec.config)
    assert spec.config().__hash__() is not None  # frozen, and every field has a default
    assert spec.config.__name__.lower() == f"{name.replace('_', '')}config"
    own = {field.name for field in fields(spec.config)}
    assert {*spec.encoder_blocks, *spec.cpu_section} <= own
    assert set(spec.paper_settings) <= set(config_paths(TrialConfig))
    assert detector_iterations(TrialConfig(detector=name)) >= 1


def test_each_detector_has_settings_of_its_own():
    assert len({spec.config for spec in DETECTORS.values()}) == len(DETECTORS)


def test_only_a_rule_for_maps_can_be_a_detectors_own():
    with pytest.raises(ValueError, match="image_score is 'own'; here it must be a rule for maps"):
        MapSpec(image_score="own")


def test_iterations_may_be_those_of_any_setting(monkeypatch):
    deep = replace(DETECTORS["dinomaly"], iterations="dinomaly.decoder_blocks")
    monkeypatch.setitem(DETECTORS, "dinomaly", deep)
    assert detector_iterations(TrialConfig()) == 8


def test_as_text_every_detector_has_its_section_among_the_others():
    plain = to_plain(TrialConfig())
    assert set(plain) == set(DETECTORS) | {
        *("parts", "scope", "seed", "detector", "fusion", "split", "preprocess", "encoder"),
        *("augment", "finetune", "decoder", "postprocess", "protocol"),
    }
    assert list(plain) == sorted(plain)
    for name, spec in DETECTORS.items():
        assert plain[name] == to_plain(spec.config())
    assert "sections" not in plain


def test_only_what_differs_from_the_defaults_is_kept():
    config = TrialConfig(sections=(VitadConfig(mapping="dinomaly"), DinomalyConfig()))

    assert config.sections == (VitadConfig(mapping="dinomaly"),)
    assert config == parse(TrialConfig, {"vitad": {"mapping": "dinomaly"}, "dinomaly": {}})
    assert config.section_of(VitadConfig).mapping == "dinomaly"
    assert config.section_of(DinomalyConfig) == DinomalyConfig()
    assert config.with_section(VitadConfig()) == TrialConfig()


def test_the_order_in_which_sections_are_given_makes_no_difference():
    two = (VitadConfig(mapping="dinomaly"), PatchCoreConfig(blocks=(3,)))
    assert TrialConfig(sections=two) == TrialConfig(sections=two[::-1])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"detector": "flow"}, f"detector is 'flow'; known are {', '.join(DETECTORS)}"),
        ({"sections": (VitadConfig(), VitadConfig())}, "sections has a duplicate"),
        ({"sections": (MapSpec(),)}, "sections has MapSpec, which no entry of DETECTORS uses"),
    ],
)
def test_what_is_in_no_table_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        TrialConfig(**settings)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"detector": "flow"}, "detector: Input should be 'dinomaly', 'vitad', 'patchcore'"),
        (
            {"vitad": {"maping": "ader"}},
            "vitad.maping: no such setting; did you mean vitad.mapping?",
        ),
        ({"neck_block": 6}, "neck_block: no such setting; did you mean vitad.neck_block?"),
        ({"sections": []}, "sections: no such setting; "),
        (
            {"detector": "vitad", "dinomaly": {"groups": 3}},
            "dinomaly: groups is 3; it must divide decoder_blocks (8)",
        ),
        ({"padim": 3}, "padim: Input should be a dictionary or an instance of PadimConfig"),
    ],
)
def test_a_mistake_in_a_section_is_explained_by_its_path(raw, says):
    with pytest.raises(ConfigError) as caught:
        parse(TrialConfig, raw)
    assert str(caught.value).startswith(says)


def test_a_new_entry_is_a_setting_like_all_others(toy):
    config = parse(TrialConfig, {"detector": "toy", "toy": {"block": 5}, "seed": 3})

    assert config.section_of(toy.ToyConfig) == toy.ToyConfig(block=5)
    assert to_plain(config)["toy"] == {"block": 5}
    assert parse(TrialConfig, json.loads(json.dumps(to_plain(config)))) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.digest != config.with_section(toy.ToyConfig(block=6)).digest
    assert config.encoder_blocks["toy.block"] == (5,)
    assert "toy.block" in config_paths(TrialConfig)
    assert setting_type("toy.block") is int
    assert not is_layer_set("toy.block")
    with pytest.raises(ConfigError, match=r"toy.blok: no such setting; did you mean toy.block\?"):
        parse(TrialConfig, {"toy": {"blok": 2}})
    with pytest.raises(ConfigError, match=r"^toy: block is 0; counted from 1$"):
        parse(TrialConfig, {"toy": {"block": 0}})


def test_a_new_entry_can_be_searched_with_conditions(toy):
    space = parse_search_space(
        """
base: {detector: toy}
vary:
  detector: {choice: [dinomaly, toy]}
  toy.block: {int: [1, 4], when: {detector: toy}}
  dinomaly.dropout: {choice: [0.1, 0.2], when: {detector: dinomaly}}
""",
        "toy.yaml",
    )
    assert space.default_suggestion() == {"detector": "toy", "toy.block": 2}
    trial = space.trial({"detector": "toy", "toy.block": 4})
    assert trial.section_of(toy.ToyConfig).block == 4


def test_without_its_entry_a_detector_is_unknown():
    text = "base: {detector: toy}\nvary:\n  toy.block: {int: [1, 4]}\n"
    with pytest.raises(ConfigError, match=r"detector: Input should be 'dinomaly'.*found 'toy'"):
        parse_search_space(text, "toy.yaml")
    rendering = {
        "detector": "toy",
        "fusion": "channels",
        "input_px": 8,
        "map_px": 8,
        "postprocess": {},
    }
    with pytest.raises(ConfigError, match="detector is 'toy'; known are dinomaly, vitad"):
        parse(PostprocessSpec, rendering)


def test_an_entry_of_a_settings_name_is_refused(monkeypatch):
    clash = DetectorSpec(title="Seed", config=VitadConfig, build="none:none")
    monkeypatch.setitem(DETECTORS, "seed", clash)
    with pytest.raises(TypeError, match="seed"):
        parse(TrialConfig, {})
