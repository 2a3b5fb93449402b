"""Parameters that are varied only where others have some values."""

import pytest
import yaml

from bearing_search.config import LATEST_SCHEME, DinomalyConfig, VitadConfig
from bearing_search.errors import ConfigError, SweepError
from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.session.preflight import edge_configs
from bearing_search.sweep.study.grid import grid_points
from bearing_search.sweep.study.samplers import check_sampler
from bearing_search.sweep.warm_start import prior_trials

DETECTOR, DROPOUT, MAPPING = "detector", "dinomaly.dropout", "vitad.mapping"
PERIOD, LR = "finetune.alternation_period", "finetune.encoder_lr"
SPACE = """# Which detector, each with what only it has?
base: {finetune: {epochs: 40}}
vary:
  dinomaly.dropout: {float: [0.1, 0.4], when: {detector: dinomaly}}
  vitad.mapping: {choice: [ader, dinomaly], when: {detector: vitad}}
  detector: {choice: [dinomaly, vitad, padim]}
  finetune.alternation_period: {int: [1, 10]}
  finetune.encoder_lr: {log: [1e-6, 1e-3]}
"""


def space_of(vary, **more):
    return parse_search_space(yaml.safe_dump({"base": {}, "vary": vary} | more), "s")


def axes_of(suggestion):
    return {name for name in suggestion if name in (DROPOUT, MAPPING)}


OWN = {"dinomaly": {DROPOUT}, "vitad": {MAPPING}, "padim": set()}


def test_an_axis_comes_after_those_that_it_waits_for_wherever_it_is_written():
    space = parse_search_space(SPACE, "s")

    assert list(space.parameters) == [DETECTOR, DROPOUT, MAPPING, PERIOD, LR]
    assert set(space.default_suggestion()) == {DETECTOR, DROPOUT, PERIOD, LR}


@pytest.mark.parametrize(
    "sampler",
    [
        "tpe",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("random", "nsga-ii", "cma-es")),
    ],
)
def test_only_axes_whose_conditions_hold_are_drawn_and_the_others_keep_the_base(
    new_sweep, ledger_of, sampler
):
    folder = new_sweep(space_text=SPACE, sampler=sampler, target=16)
    base = folder.space().trial({})
    seen = []
    ledger = ledger_of(folder)
    for number in range(16):
        if number % 5 == 3:
            ledger.next()  # killed while it runs
            ledger = ledger_of(folder)
        scheduled = ledger.next()
        assert axes_of(scheduled.suggestion) == OWN[scheduled.suggestion[DETECTOR]]
        if scheduled.config.detector != "dinomaly":
            assert scheduled.config.section_of(DinomalyConfig) == base.section_of(DinomalyConfig)
        if scheduled.config.detector != "vitad":
            assert scheduled.config.section_of(VitadConfig) == base.section_of(VitadConfig)
        seen.append(scheduled.config.detector)
        ledger.complete(scheduled.number, number / 16)

    assert set(seen) == set(OWN)
    assert ledger.is_done
    assert [record.state for record in ledger.records() if record.counts] == ["complete"] * 16


@pytest.mark.slow  # it loads torch
def test_a_gaussian_process_draws_them_too(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(space_text=SPACE, sampler="gp", target=14))
    for number in range(14):
        scheduled = ledger.next()
        assert axes_of(scheduled.suggestion) == OWN[scheduled.suggestion[DETECTOR]]
        ledger.complete(scheduled.number, number / 14)


def test_a_trial_killed_while_it_was_drawn_keeps_its_branch(new_sweep, ledger_of):
    folder = new_sweep(space_text=SPACE, target=3)
    before = ledger_of(folder)
    before.next()
    half = before.study.ask()
    half.suggest_categorical(DETECTOR, ['"dinomaly"', '"vitad"', '"padim"'])
    detector = half.params[DETECTOR].strip('"')

    again = ledger_of(folder)
    again.next()
    scheduled = again.next()

    assert (scheduled.number, scheduled.config.detector) == (half.number, detector)
    assert axes_of(scheduled.suggestion) == OWN[detector]


def test_the_identity_of_a_config_ignores_what_is_not_varied_there():
    space = parse_search_space(SPACE, "s")
    padim = space.completed({DETECTOR: "padim"})

    assert space.trial(padim).digest == space.trial({DETECTOR: "padim"}).digest
    assert space.trial(space.default_suggestion()).digest == space.trial({}).digest


def test_a_grid_has_a_branchs_points_in_that_branch_only(new_sweep):
    vary = {
        DETECTOR: {"choice": ["dinomaly", "vitad", "padim"]},
        DROPOUT: {"choice": [0.1, 0.2, 0.4], "when": {DETECTOR: "dinomaly"}},
        MAPPING: {"choice": ["ader", "dinomaly"], "when": {DETECTOR: "vitad"}},
    }

    points = grid_points(space_of(vary), LATEST_SCHEME)

    assert points[0] == {DETECTOR: "dinomaly", DROPOUT: 0.2}
    assert len(points) == 3 + 2 + 1
    assert [p for p in points if p[DETECTOR] == "padim"] == [{DETECTOR: "padim"}]
    folder = new_sweep(
        space_text=yaml.safe_dump({"base": {}, "vary": vary}), sampler="grid", target=0
    )
    assert folder.record.target == 6


def test_conditions_nest_and_meet(new_sweep, ledger_of):
    # the deepest is varied at one size only, because of what its parent waits for
    vary = {
        "size": {"bundle": {"paper": {}, "small": {"encoder.input_px": 224}}},
        DETECTOR: {"choice": ["dinomaly", "vitad"], "when": {"size": "small"}},
        MAPPING: {
            "choice": ["ader", "dinomaly"],
            "when": {DETECTOR: ["vitad"], "size": ["paper", "small"]},
        },
    }
    space = space_of(vary)

    assert space.default_suggestion() == {"size": "paper"}
    assert len(grid_points(space, LATEST_SCHEME)) == 1 + 1 + 2
    assert [set(one) for one in space.extremes(MAPPING)] == [set(vary)] * 2
    mappings = {c.section_of(VitadConfig).mapping for c in edge_configs(space)}
    assert mappings == {"ader", "dinomaly"}


def test_what_is_enqueued_brings_its_branch_along():
    listed = [{DETECTOR: "vitad"}, {DETECTOR: "vitad", MAPPING: "dinomaly"}]
    text = SPACE + yaml.safe_dump({"enqueue": listed})

    first, second = parse_search_space(text, "s").enqueued

    assert (first[MAPPING], second[MAPPING]) == ("ader", "dinomaly")
    assert DROPOUT not in first
    with pytest.raises(
        ConfigError, match=r"enqueue 1: vitad.mapping is not varied there, only when"
    ):
        parse_search_space(SPACE + "enqueue: [{vitad.mapping: dinomaly}]\n", "s")


@pytest.mark.slow
def test_a_warm_start_knows_branches_and_refuses_others(new_sweep, ledger_of):
    first = new_sweep(name="first", space_text=SPACE, target=8)
    ledger = ledger_of(first)
    for _ in range(8):
        scheduled = ledger.next()
        ledger.complete(scheduled.number, 1.0 if scheduled.config.detector == "vitad" else 0.1)
    record = new_sweep(name="second", space_text=SPACE, target=8).record

    points = prior_trials(first, record, first.space())

    assert len(points) == 8
    warm = ledger_of(new_sweep(name="third", space_text=SPACE, target=8, known=points))
    for _ in range(8):
        scheduled = warm.next()
        warm.complete(scheduled.number, 0.5)
    changed = SPACE.replace("when: {detector: vitad}", "when: {detector: padim}")
    with pytest.raises(SweepError, match="have different conditions"):
        prior_trials(first, record, parse_search_space(changed, "s"))


DET = {"choice": ["dinomaly", "vitad"]}


@pytest.mark.parametrize(
    ("vary", "complaint"),
    [
        (
            {MAPPING: {"choice": ["ader", "dinomaly"], "when": {"detectr": "vitad"}}},
            "is not a parameter",
        ),
        (
            {LR: {"log": [1e-6, 1e-3]}, PERIOD: {"int": [1, 9], "when": {LR: 1e-5}}},
            "discrete values",
        ),
        ({DETECTOR: DET, PERIOD: {"int": [1, 9], "when": {DETECTOR: "padim"}}}, "not among"),
        (
            {DETECTOR: DET, PERIOD: {"int": [1, 9], "when": "vitad"}},
            "when must map other parameters",
        ),
        ({DETECTOR: DET, PERIOD: {"int": [1, 9], "when": {}}}, "when must map other parameters"),
        ({PERIOD: {"int": [1, 9], "when": {PERIOD: 3}}}, f"when: {PERIOD} depend on each other"),
        (
            {
                DETECTOR: DET | {"when": {PERIOD: 5}},
                PERIOD: {"int": [1, 9], "when": {DETECTOR: "vitad"}},
            },
            f"when: {DETECTOR}, {PERIOD} depend",
        ),
        (
            {
                "size": {"bundle": {"paper": {}, "small": {"encoder.input_px": 224}}},
                DETECTOR: DET | {"when": {"size": "small"}},
                PERIOD: {"int": [1, 9], "when": {DETECTOR: "vitad", "size": "paper"}},
            },
            f"{PERIOD}: its conditions, and theirs, are never met together",
        ),
    ],
)
def test_impossible_conditions_are_one_clear_line(vary, complaint):
    with pytest.raises(ConfigError, match=complaint) as error:
        space_of(vary)
    assert "\n" not in str(error.value)


def test_the_settings_of_a_branch_are_tried_before_anything_starts():
    vary = {
        DETECTOR: DET,
        "vitad.student_blocks": {"int": [5, 9], "when": {DETECTOR: "vitad"}},
    }
    with pytest.raises(ConfigError, match="student_blocks is 5; must be at least the last"):
        space_of(vary)


def test_cma_es_counts_the_axes_that_are_always_varied():
    vary = {DETECTOR: DET, PERIOD: {"int": [1, 9]}, LR: {"log": [1e-6, 1e-3]}}
    check_sampler("cma-es", space_of(vary))
    with pytest.raises(
        ConfigError,
        match="at least 2 int, float or log parameters without conditions; the space has 1",
    ):
        check_sampler(
            "cma-es", space_of(vary | {LR: {"log": [1e-6, 1e-3], "when": {DETECTOR: "vitad"}}})
        )
