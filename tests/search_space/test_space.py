import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from bearing_search.config import TrialConfig, parse, to_plain
from bearing_search.errors import ConfigError
from bearing_search.search_space.yaml_file import load_search_space, parse_search_space
from bearing_search.sweep.study.param_encoding import encode, suggest

SHIPPED = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))


def space(vary, base=None):
    return parse_search_space(
        yaml.safe_dump({"base": base or {}, "vary": vary}, sort_keys=False), "s.yaml"
    )


class Recorded:
    """Answers as Optuna's trial would, from encoded values."""

    def __init__(self, params):
        self.params = params
        self.asked = []

    def suggest_int(self, name, low, high, *, step=1):
        assert (self.params[name] - low) % step == 0
        return self._take(name, low <= self.params[name] <= high)

    def suggest_float(self, name, low, high, *, step=None, log=False):
        return self._take(name, low <= self.params[name] <= high)

    def suggest_categorical(self, name, choices):
        assert all(isinstance(choice, str | bool) for choice in choices)
        return self._take(name, self.params[name] in choices)

    def _take(self, name, is_legal):
        assert is_legal
        self.asked.append(name)
        return self.params[name]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_space_asks_a_question_and_has_the_base_as_trial_0(file):
    shipped = load_search_space(file)

    assert shipped.question.endswith((".", "?"))
    base = to_plain(parse(TrialConfig, shipped.base))
    assert to_plain(shipped.trial(shipped.default_suggestion())) == base


def test_the_papers_space_varies_exactly_its_three_settings_around_its_own_numbers():
    paper = load_search_space(next(file for file in SHIPPED if file.stem == "paper"))

    assert list(paper.parameters) == [
        "finetune.alternation_period",
        "finetune.ssim_layers",
        "preprocess.circle.radius_tolerance_px",
    ]
    assert paper.trial(paper.default_suggestion()) == TrialConfig()


def test_yaml_reads_1e_4_as_text_and_the_space_as_a_number():
    parameter = space({"finetune.encoder_lr": {"log": ["1e-6", "1e-4"]}}).parameters[
        "finetune.encoder_lr"
    ]

    assert (parameter.low, parameter.high, parameter.log) == (1e-6, 1e-4, True)


def test_the_empty_set_of_layers_is_the_stated_default():
    layers = space({"finetune.ssim_layers": {"subset": [3, 11, 12], "empty": [3, 12]}})
    path = "finetune.ssim_layers"

    nothing = {f"{path}[{layer}]": False for layer in (3, 11, 12)}
    assert suggest(layers, Recorded(nothing)) == {path: [3, 12]}
    assert suggest(layers, Recorded(nothing | {f"{path}[11]": True})) == {path: [11]}


def test_a_choice_of_numbers_may_have_exponents():
    lr = "finetune.encoder_lr"
    rates = parse_search_space(
        f"base: {{{lr.replace('.', ': {')}: 1e-3}}}}\nvary: {{{lr}: {{choice: [1e-3, 2e-3]}}}}", "s"
    )

    assert rates.default_suggestion() == {lr: 0.001}
    assert encode(rates, {lr: 0.002}) == {lr: "0.002"}


def test_a_choice_may_be_anything_json_knows():
    layers = space({"finetune.ssim_layers": {"choice": [[12], [11, 12], [6, 12]]}})

    assert encode(layers, layers.default_suggestion()) == {"finetune.ssim_layers": "[11, 12]"}
    assert layers.trial({"finetune.ssim_layers": [6, 12]}).finetune.ssim_layers == (6, 12)


def test_a_fixed_setting_goes_into_the_base_and_not_onto_an_axis():
    periods = space({"finetune.alternation_period": {"int": [1, 9]}})

    assert periods.with_setting("split.folds", 5).trial({}).split.folds == 5
    with pytest.raises(ConfigError, match="the space varies it"):
        periods.with_setting("finetune.alternation_period", 3)
    with pytest.raises(ConfigError, match="folds is 1"):
        periods.with_setting("split.folds", 1)


ENQUEUED = """base: {finetune: {epochs: 40}}
vary:
  finetune.alternation_period: {int: [1, 9]}
  finetune.encoder_lr: {log: [1e-6, 1e-3]}
  size: {bundle: {paper: {}, small: {encoder.input_px: 224}}}
"""


def test_settings_that_somebody_believes_in_are_enqueued_around_the_base():
    text = ENQUEUED + "enqueue: [{finetune.encoder_lr: 1e-4, size: small}, {}]"

    first, second = parse_search_space(text, "s.yaml").enqueued

    assert first == {PERIOD: 5, "finetune.encoder_lr": 1e-4, "size": "small"}
    assert second == {PERIOD: 5, "finetune.encoder_lr": 1e-5, "size": "paper"}


@pytest.mark.parametrize(
    ("listed", "complaint"),
    [
        ("{a: 1}", "enqueue: expected a list of settings"),
        ("[3]", "enqueue: expected a list of settings"),
        (
            "[{}, {finetune.epochs: 50}]",
            "enqueue 2: finetune.epochs is not a parameter; the parameters are",
        ),
        ("[{finetune.alternation_period: 12}]", "alternation_period is 12, outside int"),
        ("[{finetune.encoder_lr: fast}]", 'encoder_lr is "fast", which is not a number'),
        ("[{size: [small]}]", 'size is ["small"], not among paper, small'),
    ],
)
def test_what_cannot_be_enqueued_is_named_by_its_place(listed, complaint):
    with pytest.raises(ConfigError) as error:
        parse_search_space(f"{ENQUEUED}enqueue: {listed}", "s.yaml")

    assert complaint in str(error.value)


PERIOD = "finetune.alternation_period"
SIZES = {
    "small": {"encoder.input_px": 224, "decoder.batch_size": 8},
    "paper": {},
    "short": {"finetune.epochs": 60},
}


def test_a_bundle_is_a_name_that_stands_for_several_settings():
    bundled = space({"size": {"bundle": SIZES}, PERIOD: {"int": [1, 9]}})

    small = bundled.trial({"size": "small", PERIOD: 3})

    assert (small.encoder.input_px, small.decoder.batch_size) == (224, 8)
    assert small.finetune.alternation_period == 3
    assert bundled.trial({"size": "short"}).encoder == TrialConfig().encoder
    params = encode(bundled, {"size": "short", PERIOD: 3})
    assert params == {"size": "short", PERIOD: 3}
    assert suggest(bundled, Recorded(params)) == {"size": "short", PERIOD: 3}


def test_trial_0_has_the_bundle_that_the_base_equals_else_the_first():
    like_the_base = space({"size": {"bundle": SIZES}})
    others = {name: settings for name, settings in SIZES.items() if settings}
    none_of_them = space({"size": {"bundle": others}})
    as_short = space({"size": {"bundle": others}}, {"finetune": {"epochs": 60}})

    assert like_the_base.default_suggestion() == {"size": "paper"}
    assert none_of_them.default_suggestion() == {"size": "small"}
    assert as_short.default_suggestion() == {"size": "short"}


def test_a_setting_of_a_bundle_cannot_be_fixed_as_well():
    with pytest.raises(ConfigError, match="the space varies it"):
        space({"size": {"bundle": SIZES}}).with_setting("encoder.input_px", 448)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("base: {}", "expected two mappings, base"),
        ("base: {}\nvary: {}", "at least one parameter"),
        ("base: {}\nvary: {finetune.epochs: {int: [30, 50]}}\nmore: 1", "and nothing else"),
        ("- 1", "expected two mappings"),
        ("base: {a: [}", "line 1"),
        ("base: {finetune: {epochs: 1, epochs: 2}}\nvary: {}", "epochs appears twice"),
        (
            "base: {}\nvary: {finetune.alternation_perod: {int: [1, 3]}}",
            "finetune.alternation_perod: no such setting; did you mean finetune.alternation_period",
        ),
        (
            "base: {finetune: {alternation_perod: 1}}\nvary: {finetune.epochs: {int: [30, 50]}}",
            "finetune.alternation_perod: no such setting; did you mean finetune.alternation_period",
        ),
        ("base: {}\nvary: {finetune.epochs: {int: [10, 50]}}", "the base has 100, outside int"),
        ("base: {}\nvary: {finetune.epochs: {int: [10, 150]}}", "more than epochs"),
        ("base: {}\nvary: {protocol.map_px: {int: [8, 256]}}", "no longer be comparable"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [1, 9.5]}}}}", "whole numbers, found 9.5"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [9, 1]}}}}", "low must be below high"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [1, 10, 2]}}}}", "the last value is 9"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [2, 10, 2]}}}}", "between the values of"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{float: [1, 9]}}}}", "whole number; use int"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [0, 9]}}}}", "alternation_period is 0"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{uniform: [0, 9]}}}}", "is not a parameter; use one of"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{int: [1, 9], float: [1, 9]}}}}", "is not a parameter"),
        (f"base: {{}}\nvary: {{{PERIOD}: 5}}", "is not a parameter"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{choice: [5]}}}}", "is not a parameter"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{choice: [1, 2]}}}}", "not among choice"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{choice: [5, 5]}}}}", "appears twice"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{choice: [5, 4, '5']}}}}", "have the same settings"),
        (f"base: {{}}\nvary: {{{PERIOD}: {{choice: [5, 4, 5.0]}}}}", "have the same settings"),
        (
            f"base: {{}}\nvary: {{{PERIOD}: {{choice: {list(range(5, 1006))}}}}}",
            "choice of 1001; at most 1000",
        ),
        (
            f"base: {{}}\nvary: {{{', '.join(f'p{n}: {{choice: [1, 2]}}' for n in range(500))}}}",
            "vary has 500 parameters",
        ),
        (f"base: {{}}\nvary: {{{PERIOD}: {{subset: [4, 5], empty: [5]}}}}", "not a set of layers"),
        ("base: {}\nvary: {size: {bundle: {a: {seed: 1}}}}", "is not a parameter; use one of"),
        ("base: {}\nvary: {size: {bundle: {a: {seed: 1}, 2: {}}}}", "put it in quotes"),
        ("base: {}\nvary: {size: {bundle: {a: {seed: 1}, b: 3}}}", "expected settings"),
        (
            "base: {}\nvary: {size: {bundle: {a: {seed: 2020-01-01}, b: {}}}}",
            "line 2: 2020-01-01: YAML 1.1 and 1.2 read this differently",
        ),
        ("base: {}\nvary: {size: {bundle: {a: {sed: 1}, b: {}}}}", "size: cannot vary sed: no"),
        ("base: {}\nvary: {size: {bundle: {a: {seed: 1}, b: {seed: x}}}}", "seed: "),
        (
            "base: {}\nvary: {size: {bundle: {a: {split.folds: 2}, b: {}}}}",
            "size: cannot vary split.folds: scores would no longer be comparable",
        ),
        (
            "base: {}\nvary: {size: {bundle: {a: {seed: 1}, b: {}}}, seed: {int: [0, 3]}}",
            "seed: 2 parameters set it",
        ),
        (
            "base: {}\nvary: {size: {bundle: {a: {}, b: {seed: 0}}}}",
            "size: bundles a and b have the same settings",
        ),
        ("base: {}\nvary: {seed: {bundle: {a: {}, b: {seed: 1}}}}", "needs another name"),
        ("base: {}\nvary: {encoder: {bundle: {a: {}, b: {seed: 1}}}}", "needs another name"),
        (
            "base: {}\nvary: {a.b: {bundle: {a: {}, b: {seed: 1}}}}",
            "not a valid name for a bundle parameter",
        ),
        ("base: {}\nvary: {finetune.encoder_lr: {log: [0, 1]}}", "low must be above 0"),
        ("base: {}\nvary: {finetune.encoder_lr: {log: [a, 1]}}", "takes numbers"),
        ("base: {}\nvary: {finetune.encoder_lr: {float: [.nan, 1]}}", "not a finite number"),
        (
            "base: {}\nvary: {finetune.ssim_layers: {subset: [11, 12]}}",
            "a substitute for the empty set",
        ),
        (
            "base: {}\nvary: {finetune.ssim_layers: {subset: [3, 12], empty: [12]}}",
            "not a subset of",
        ),
        (
            "base: {}\nvary: {finetune.ssim_layers: {subset: [11, 12], empty: [9]}}",
            "is not a subset of",
        ),
    ],
)
def test_a_mistake_is_named_with_the_file(text, complaint):
    with pytest.raises(ConfigError) as error:
        parse_search_space(text, "mine.yaml")

    assert str(error.value).startswith("mine.yaml")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_no_text_is_said_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_search_space(tmp_path / "missing.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_search_space(tmp_path / "picture.yaml")


@settings(max_examples=settings().max_examples // 3)  # each takes .2 s
@given(
    period=st.integers(1, 9),
    layers=st.sets(st.integers(1, 12), min_size=1),
    learning_rate=st.floats(1e-6, 1e-3),
    window=st.sampled_from([5, 7, 11]),
)
def test_what_is_drawn_is_what_was_encoded_and_what_the_trial_gets(
    period, layers, learning_rate, window
):
    text = yaml.safe_dump(
        {
            "base": {"finetune": {"alternation_period": period, "ssim_layers": sorted(layers)}},
            "vary": {
                "finetune.alternation_period": {"int": [1, 9]},
                "finetune.ssim_layers": {"subset": list(range(1, 13)), "empty": [12]},
                "finetune.encoder_lr": {"log": [1e-6, 1e-3]},
                "finetune.ssim_window": {"choice": [5, 7, 11]},
            },
        }
    )
    read = parse_search_space(text, "s.yaml")
    suggestion = read.default_suggestion() | {
        "finetune.encoder_lr": learning_rate,
        "finetune.ssim_window": window,
    }
    travelled = json.loads(json.dumps(encode(read, suggestion)))

    assert suggest(read, Recorded(travelled)) == suggestion
    config = read.trial(suggestion)
    assert config.finetune.alternation_period == period
    assert config.finetune.ssim_layers == tuple(sorted(layers))
    assert config.finetune.encoder_lr == learning_rate
    assert config.finetune.ssim_window == window
