import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.config import (
    DETECTORS,
    FinetuneConfig,
    TrialConfig,
    config_digest,
    config_paths,
    counted_settings,
    parse,
    setting_digest,
    stable_settings,
    to_plain,
)
from bearing_search.config.reference_values import (
    ALWAYS_COUNTED,
    FIRST_SETTINGS,
    LATER_SETTINGS,
)

OLD = json.loads((Path(__file__).parent / "fixtures/digests_at_f25563c.json").read_text())
"""What f25563c called the base and six suggestions of each shipped space, and seven more configs:
settings that differed from its defaults, digests, and digests of the settings in stage keys."""

BASE = next(one for one in OLD if not one["config"])
SCHEMES = (1, 2)


@pytest.mark.parametrize("old", OLD, ids=lambda old: old["digest"])
def test_scheme_1_calls_a_config_what_it_was_called_before_there_were_schemes(old):
    plain = to_plain(parse(TrialConfig, old["config"]))

    assert config_digest(plain, 1) == old["digest"]
    assert setting_digest(plain, 1) == old["setting"]


def test_the_reference_values_of_the_first_settings_are_those_of_then():
    # what is missing is taken from there
    assert config_digest({}, 1) == BASE["digest"]


OLD_SECTIONS = {path.partition(".")[0] for path in FIRST_SETTINGS}
NEW_DETECTORS = DETECTORS.keys() - OLD_SECTIONS
"""Their settings count wherever they are chosen: no older config has them."""


@pytest.mark.parametrize(
    "path", [p for p in config_paths(TrialConfig) if p.partition(".")[0] not in NEW_DETECTORS]
)
def test_every_setting_has_a_reference_value(path):
    assert path in FIRST_SETTINGS or path in LATER_SETTINGS or path in ALWAYS_COUNTED, (
        f"{path} is new: let its field be added_later(config_field(...), reference=...), with the "
        "value under which every number is as it was before the setting existed, so that digests, "
        "ledgers and shared stages of before stay valid. If the default is that value, it is the "
        "default. If no value is, write the path into ALWAYS_COUNTED of reference_values.py."
    )


def test_what_has_a_reference_value_is_not_always_counted():
    assert not ALWAYS_COUNTED & {*FIRST_SETTINGS, *LATER_SETTINGS}
    assert not FIRST_SETTINGS.keys() & LATER_SETTINGS.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig:
    steps: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterFinetuneConfig(FinetuneConfig):
    ema: float = 0.0
    grouping: dict = field(default_factory=lambda: {"LC": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterConfig(TrialConfig):
    """What TrialConfig may be one day: two more settings in a section, one beside them, a section
    more."""

    tiles: int | None = None
    finetune: LaterFinetuneConfig = field(default_factory=LaterFinetuneConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)


@pytest.fixture
def later(monkeypatch):
    """Their reference values: the defaults."""
    added = {"tiles": None, "finetune.ema": 0.0, "finetune.grouping": {"LC": 1}, "flow.steps": 8}
    for path, value in added.items():
        monkeypatch.setitem(LATER_SETTINGS, path, value)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", [config_digest, setting_digest])
@pytest.mark.usefixtures("later")
def test_a_setting_that_is_added_moves_no_digest(name, scheme):
    for old in OLD[::5]:
        before, after = (
            to_plain(parse(config, old["config"])) for config in (TrialConfig, LaterConfig)
        )
        assert after != before
        assert name(after, scheme) == name(before, scheme)
        assert stable_settings(after) == stable_settings(before)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "change",
    [
        {"tiles": 2},
        {"finetune": {"ema": 0.9}},
        {"finetune": {"grouping": {}}},
        {"finetune": {"grouping": {"LC": 1, "OD": 1}}},
        {"flow": {"steps": 4}},
    ],
)
@pytest.mark.usefixtures("later")
def test_another_value_of_an_added_setting_moves_it(change, scheme):
    raws: tuple[dict[str, Any], ...] = ({}, change)
    before, after = (to_plain(parse(LaterConfig, raw)) for raw in raws)

    assert config_digest(after, scheme) != config_digest(before, scheme)
    assert stable_settings(after) != stable_settings(before)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_added_setting_without_a_reference_value_counts(scheme):
    before, after = to_plain(TrialConfig()), to_plain(LaterConfig())

    assert config_digest(after, scheme) != config_digest(before, scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedConfig(TrialConfig):
    """TrialConfig with another default, which gives other numbers."""

    finetune: FinetuneConfig = field(default_factory=lambda: FinetuneConfig(ssim_window=5))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_default_that_changes_moves_the_digest(scheme):
    changed, explicit = to_plain(ChangedConfig()), {"finetune": {"ssim_window": 5}}

    assert config_digest(changed, scheme) != config_digest(to_plain(TrialConfig()), scheme)
    assert config_digest(changed, scheme) == config_digest(
        to_plain(parse(TrialConfig, explicit)), scheme
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_setting_that_goes_leaves_what_had_its_reference_value(scheme):
    before = to_plain(TrialConfig())
    after = to_plain(TrialConfig())
    del after["finetune"]["flip"]
    del after["protocol"]

    assert config_digest(after, scheme) == config_digest(before, scheme)
    assert stable_settings(after) == stable_settings(before)


UNREAD: dict[str, Any] = {
    "dinomaly": {"vitad": {"mapping": "dinomaly"}, "padim": {"dims": 9}},
    "vitad": {"dinomaly": {"dropout": 0.1}, "patchcore": {"num_neighbours": 1}},
    "patchcore": {"vitad": {"init_std": 0.1}, "decoder": {"lr": 1e-3}},
    "padim": {"patchcore": {"coreset_share": 0.5}, "decoder": {"iterations": 10}},
}


@pytest.mark.parametrize("detector", UNREAD)
def test_what_the_detector_does_not_read_moves_no_digest_of_scheme_2(detector):
    reads = {"detector": detector}
    before, after = (to_plain(parse(TrialConfig, raw)) for raw in (reads, reads | UNREAD[detector]))

    assert config_digest(after, 2) == config_digest(before, 2)
    assert setting_digest(after, 2) == setting_digest(before, 2)
    assert config_digest(after, 1) != config_digest(before, 1)


@pytest.mark.parametrize(
    "raw",
    [
        {"detector": "patchcore", "patchcore": {"coreset_share": 0.5}},
        {"detector": "padim", "padim": {"dims": 9}},
        {"detector": "vitad", "vitad": {"mapping": "dinomaly"}},
        {"detector": "vitad", "decoder": {"lr": 1e-3}},
        {"dinomaly": {"dropout": 0.1}},
        {"decoder": {"lr": 1e-3}},
    ],
)
def test_what_the_detector_reads_moves_both(raw):
    before = {"detector": raw.get("detector", "dinomaly")}
    one, other = (to_plain(parse(TrialConfig, each)) for each in (before, raw))

    for scheme in SCHEMES:
        assert config_digest(one, scheme) != config_digest(other, scheme)


def test_scheme_2_counts_the_seed_and_what_differs_and_nothing_else():
    raw = {"seed": 3, "detector": "vitad", "vitad": {"neck_block": 11}, "padim": {"dims": 9}}
    plain = to_plain(parse(TrialConfig, raw | {"preprocess": {"geometry": {"LC": "none"}}}))

    counted = {"seed": 3, "detector": "vitad", "vitad": {"neck_block": 11}}
    assert counted_settings(plain, 2) == counted | {"preprocess": {"geometry": {"LC": "none"}}}
    assert counted_settings(to_plain(TrialConfig()), 2) == {"seed": 0}


def test_digests_of_scheme_2_are_these():
    """Of the sweeps that have begun: whoever makes this fail needs another scheme."""
    plain = to_plain(parse(TrialConfig, {"detector": "padim", "padim": {"dims": 60}, "seed": 7}))

    assert (config_digest(plain, 2), setting_digest(plain, 2)) == (
        "31f6713869299da3",
        "c5938b37f8ece978",
    )


def test_an_unknown_scheme_is_an_error():
    with pytest.raises(ValueError, match="digest scheme 3; known are 1 to 2"):
        config_digest(to_plain(TrialConfig()), 3)


VALUES: dict[str, list[Any]] = {
    "seed": [0, 1],
    "detector": list(DETECTORS),
    "parts": [[], ["LC"], ["LC", "OD"]],
    "finetune.epochs": [40, 100],
    "finetune.flip": [False, True],
    "finetune.trainable_blocks": [None, 0, 1],
    "finetune.ssim_layers": [[11, 12], [1], [11], [1, 12]],
    "augment.rotation_deg": [0.0, 1.0, 15.0],
    "preprocess.geometry": [{}, {"LC": "circle"}, {"LC": "none"}],
    "decoder.batch_size": [8, 16],
    "dinomaly.dropout": [0.2, 0.1],
    "vitad.mapping": ["ader", "dinomaly"],
    "patchcore.neighbourhood": [None, 1, 3],
    "padim.dims": [100, 10],
    "protocol.map_px": [256, 64],
    "split.seed": [0, 1],
}
READ_DECODER = {name for name, spec in DETECTORS.items() if "decoder" not in spec.unread}
OF = {"decoder": READ_DECODER} | {name: {name} for name in DETECTORS}
"""Section -> detectors that read it."""


@st.composite
def settings(draw):
    return {path: draw(st.sampled_from(values)) for path, values in VALUES.items()}


def config_of(chosen):
    raw: dict[str, Any] = {}
    for path, value in chosen.items():
        section, _, name = path.rpartition(".")
        (raw.setdefault(section, {}) if section else raw)[name] = value
    return to_plain(parse(TrialConfig, raw))


def effective(chosen):
    """What of it can move a number."""

    def is_read(path):
        section = path.partition(".")[0]
        return section == path or chosen["detector"] in OF.get(section, {chosen["detector"]})

    return {path: value for path, value in chosen.items() if is_read(path)}


@given(settings(), settings())
def test_two_configs_share_a_digest_where_nothing_that_is_read_differs(one, other):
    is_same = effective(one) == effective(other)
    plains = [config_of(chosen) for chosen in (one, other)]

    assert (config_digest(plains[0], 2) == config_digest(plains[1], 2)) == is_same
    assert (config_digest(plains[0], 1) == config_digest(plains[1], 1)) == (one == other)
    first, second = (
        {k: v for k, v in effective(each).items() if k != "seed"} for each in (one, other)
    )
    assert (setting_digest(plains[0], 2) == setting_digest(plains[1], 2)) == (first == second)


@given(settings(), st.sampled_from(sorted(VALUES)), st.data())
def test_one_setting_moves_the_digest_where_it_is_read(one, path, data):
    other = one | {path: data.draw(st.sampled_from(VALUES[path]))}
    is_same = effective(one) == effective(other)

    digests = {config_digest(config_of(chosen), 2) for chosen in (one, other)}
    assert len(digests) == (1 if is_same else 2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_detector_that_is_added_moves_no_digest_until_it_is_chosen(toy, scheme):
    plain = to_plain(parse(TrialConfig, {}))
    assert "toy" in plain
    before = {name: section for name, section in plain.items() if name != "toy"}
    other = to_plain(parse(TrialConfig, {"toy": {"block": 3}}))

    assert config_digest(plain, scheme) == config_digest(before, scheme)
    assert config_digest(other, scheme) == config_digest(before, scheme)
    chosen = {**plain, "detector": "toy"}
    assert config_digest(chosen, scheme) != config_digest(before, scheme)
    assert config_digest({**other, "detector": "toy"}, scheme) != config_digest(chosen, scheme)
