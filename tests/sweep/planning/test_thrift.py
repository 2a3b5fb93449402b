"""TPE prefers, of candidates that it expects the same of, what needs least."""

import numpy as np
import optuna
import pytest
import yaml

from bearing_search.search_space.yaml_file import parse_search_space
from bearing_search.stage_cache.key import STAGES_VERSION
from bearing_search.sweep.planning import candidate_cost
from bearing_search.sweep.planning.candidate_cost import REPEAT
from bearing_search.sweep.planning.config_index import ConfigIndex, TrialKey
from bearing_search.sweep.planning.reuse_order import BEGUN, BUSY, NEW, READY, ReuseOrder
from bearing_search.sweep.planning.shared_prefix import SharedPrefix, shared_prefix
from bearing_search.sweep.study import cost_aware_tpe
from bearing_search.sweep.study.cost_aware_tpe import ThriftyTPE, improvements
from bearing_search.sweep.study.param_encoding import decode, distributions_of, encode, suggest
from bearing_search.trial_history.records import TrialRecord

VARY = {
    "finetune.alternation_period": {"int": [1, 10]},
    "finetune.ssim_layers": {"subset": [10, 11, 12], "empty": [12]},
    "finetune.encoder_lr": {"log": [1e-6, 1e-4]},
    "fusion": {"choice": ["channels", "score_max"]},
    "recipe": {"bundle": {"plain": {}, "flipped": {"finetune.flip": True}}},
    "decoder.lr": {"log": [5e-4, 4e-3]},
    "dinomaly.dropout": {"choice": [0.1, 0.2, 0.4]},
}


def space_of(vary):
    text = "# A question?\n" + yaml.safe_dump({"base": {}, "vary": vary}, sort_keys=False)
    return parse_search_space(text, "s")


SPACE = space_of(VARY)
BASE = SPACE.default_suggestion()


def fates_with(*suggestions, space=SPACE):
    """The fates of a sweep that has finished these."""
    configs = [space.trial(one) for one in suggestions]
    return ConfigIndex(
        [
            TrialRecord(
                number=number, state="complete", digest=config.digest, prefix=shared_prefix(config)
            )
            for number, config in enumerate(configs)
        ]
    )


def rank(config_index, suggestion, *, space=SPACE, less=()):
    params = {k: v for k, v in encode(space, suggestion).items() if k not in less}
    return candidate_cost.Thrift(space, config_index, ReuseOrder(config_index)).rank(params)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"decoder.lr": 1e-3}, READY),
        ({"dinomaly.dropout": 0.4}, READY),
        ({"finetune.alternation_period": 2}, BEGUN),
        ({"finetune.alternation_period": 2, "decoder.lr": 1e-3}, BEGUN),
        ({"finetune.ssim_layers": [10, 12]}, NEW),
        ({"finetune.encoder_lr": 1e-6}, NEW),
        ({"fusion": "score_max"}, NEW),
        ({"recipe": "flipped"}, NEW),
        ({}, REPEAT),
    ],
)
def test_a_candidate_ranks_by_what_of_it_another_trial_has_made(other, expected):
    assert rank(fates_with(BASE), BASE | other) == expected


def test_what_another_trial_is_making_comes_last_before_what_was_tried():
    config_index = ConfigIndex([])
    config = SPACE.trial(BASE)
    config_index.begin(0, TrialKey(config.digest, "", shared_prefix(config)))
    assert rank(config_index, BASE | {"decoder.lr": 1e-3}) == BUSY
    assert READY < BEGUN < NEW < BUSY < REPEAT


def test_a_pruned_trial_may_have_made_no_encoder_at_all():
    config = SPACE.trial(BASE)
    pruned = TrialRecord(number=0, state="pruned", digest="d", prefix=shared_prefix(config))
    assert rank(ConfigIndex([pruned]), BASE | {"decoder.lr": 1e-3}) == NEW


def test_a_candidate_without_an_axis_of_its_encoder_cannot_be_ranked_and_one_without_others_can():
    config_index = fates_with(BASE)
    assert rank(config_index, BASE, less=["finetune.encoder_lr"]) is None
    assert rank(config_index, BASE, less=["finetune.ssim_layers[11]"]) is None
    assert rank(config_index, BASE, less=["decoder.lr", "dinomaly.dropout"]) == READY


def test_ledgers_of_older_sweeps_tell_of_no_encoders():
    config = SPACE.trial(BASE)
    old = TrialRecord(number=0, state="complete", digest=config.digest)
    assert rank(ConfigIndex([old]), BASE | {"decoder.lr": 1e-3}) == NEW


def test_the_schedule_decides_whether_beginnings_are_shared():
    by_iteration = space_of(VARY | {"finetune.schedule": {"choice": ["epochs", "iterations"]}})
    other = by_iteration.default_suggestion() | {"finetune.schedule": "iterations"}
    assert shared_prefix(by_iteration.trial(other)).beginning == ""
    assert shared_prefix(SPACE.trial(BASE)).beginning != ""
    frozen = space_of({"finetune.encoder_lr": VARY["finetune.encoder_lr"]}).with_setting(
        "finetune.reconstruction_only_epochs", 0
    )
    frozen = frozen.with_setting("finetune.epochs", 0)
    assert shared_prefix(frozen.trial({})) == SharedPrefix()
    assert rank(ConfigIndex([]), frozen.default_suggestion(), space=frozen) == READY


def test_what_a_sampler_draws_is_read_back_whatever_the_kind_of_axis():
    distributions = distributions_of(SPACE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        drawn = suggest(SPACE, trial)
        assert trial.distributions == distributions
        assert decode(SPACE, trial.params) == drawn


def test_expected_improvements_are_shares_of_the_highest():
    shares = improvements(np.array([2.0, -1e6, 1.0, 30.0, 31.0]), 0.1)
    # 1 / (.1 + .9 exp(-gain)), divided by that of 31
    expected = [0.1 / (0.1 + 0.9 * np.exp(-gain)) for gain in (2.0, 1.0)]
    assert shares[[0, 2]] == pytest.approx(expected)
    assert shares[1] == pytest.approx(0)
    assert shares[3] == pytest.approx(1, abs=1e-9)  # both are as good as can be told
    assert shares.max() == 1


def test_the_more_trials_are_good_already_the_less_is_equal_as_in_optuna():
    gains = np.array([3.0, 5.0])
    shares = [improvements(gains, good_share)[0] for good_share in (0.1, 0.0025)]
    assert shares[0] > shares[1]
    _, sampler = drawn(lambda params: None, trials=12)
    assert sampler._good_share == optuna.samplers._tpe.sampler.default_gamma(100) / 100
    study = optuna.create_study()
    study.add_trials(
        [optuna.trial.create_trial(value=0.0) for _ in range(1000)],
    )
    sampler.before_trial(study, study.get_trials()[0])
    assert sampler._good_share == optuna.samplers._tpe.sampler.default_gamma(1000) / 1000


def test_an_encoder_of_older_code_is_not_there(monkeypatch):
    config_index = fates_with(BASE)
    monkeypatch.setitem(STAGES_VERSION, "encoder", 99)
    assert rank(config_index, BASE | {"decoder.lr": 1e-3}) == NEW


class Watched(ThriftyTPE):
    """Notes what its candidates would have improved, and how the preferred one ranked."""

    def _compute_acquisition_func(self, samples, mpe_below, mpe_above):
        told = super()._compute_acquisition_func(samples, mpe_below, mpe_above)
        plain = optuna.samplers.TPESampler._compute_acquisition_func(
            self, samples, mpe_below, mpe_above
        )
        self.asked += 1
        chosen = int(np.argmax(told))
        self.shares.append(float(improvements(plain, self._good_share)[chosen]))
        self.changed += chosen != int(np.argmax(plain))
        return told


def drawn(rank, *, trials=30, space=SPACE):
    """Suggestions of a course of trials, and the sampler."""
    sampler = Watched(rank, space, seed=3, group=bool(space.conditions))
    sampler.asked, sampler.shares, sampler.changed = 0, [], 0
    study = optuna.create_study(sampler=sampler, direction="maximize")
    found = []
    for _ in range(trials):
        trial = study.ask()
        found.append(suggest(space, trial))
        study.tell(trial, found[-1]["decoder.lr"])
    return found, sampler


@pytest.mark.parametrize("no_preference", [lambda params: None, lambda params: READY])
def test_where_nothing_is_preferred_every_draw_is_optunas_own(no_preference):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3), direction="maximize")
    plain = []
    for _ in range(30):
        trial = study.ask()
        plain.append(suggest(SPACE, trial))
        study.tell(trial, plain[-1]["decoder.lr"])

    found, sampler = drawn(no_preference)

    assert found == plain
    assert sampler.asked == 20  # of every draw but the first ten: Optuna still has the hook


def test_one_is_preferred_among_equals_only(monkeypatch):
    # within 1 % hardly any are, in twenty draws
    monkeypatch.setattr(cost_aware_tpe, "TOLERANCE", 0.1)
    _, sampler = drawn(lambda params: int(params["recipe"] == "plain"))
    assert sampler.changed > 0
    assert min(sampler.shares) >= 1 - cost_aware_tpe.TOLERANCE


def test_of_equals_the_one_whose_encoder_is_there_is_drawn(monkeypatch):
    monkeypatch.setattr(cost_aware_tpe, "TOLERANCE", 1.0)  # all are equal
    found, sampler = drawn(lambda params: int(params["finetune.alternation_period"] != 4))
    candidates = 24
    assert sampler.asked == 20
    # one in ten periods is a 4: hardly ever is there none among so many
    assert sum(one["finetune.alternation_period"] == 4 for one in found[10:]) > candidates / 2


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_axes_drawn_group_by_group_are_preferred_by_the_group_that_moves_the_encoder():
    vary = {
        "finetune.alternation_period": {"int": [1, 10]},
        "detector": {"choice": ["dinomaly", "vitad"]},
        "decoder.lr": {"log": [5e-4, 4e-3]},
        "dinomaly.dropout": {"choice": [0.1, 0.2, 0.4], "when": {"detector": "dinomaly"}},
    }
    space = space_of(vary)
    config_index = fates_with(space.default_suggestion(), space=space)
    ranked = candidate_cost.Thrift(space, config_index, ReuseOrder(config_index))
    seen = []

    def note(params):
        seen.append((frozenset(params), ranked.rank(params)))
        return seen[-1][1]

    drawn(note, space=space)

    kinds = {(params == {"dinomaly.dropout"}, found is None) for params, found in seen}
    assert kinds == {(True, True), (False, False)}


@pytest.mark.parametrize("shares", [True, False])
def test_a_ledger_prefers_what_it_has_seen_made_also_after_a_restart_if_it_is_shared(
    new_sweep, ledger_of, monkeypatch, shares
):
    monkeypatch.setattr(cost_aware_tpe, "TOLERANCE", 1.0)
    vary = {k: VARY[k] for k in ("finetune.encoder_lr", "decoder.lr", "dinomaly.dropout")}
    vary["finetune.alternation_period"] = {"int": [3, 6]}
    vary["finetune.encoder_lr"] = {"choice": [1e-6, 1e-5, 1e-4]}
    text = "# ?\n" + yaml.safe_dump({"base": {}, "vary": vary}, sort_keys=False)
    folder = new_sweep(space_text=text, target=30, shares_stages=shares)
    ledger = ledger_of(folder)
    made, shared = set(), []
    for number in range(30):
        if number == 20:
            ledger = ledger_of(folder)
        scheduled = ledger.next()
        prefix = shared_prefix(scheduled.config)
        shared.append(prefix.encoder in made)
        made.add(prefix.encoder)
        ledger.complete(scheduled.number, scheduled.config.decoder.lr)
    if shares:
        assert sum(shared[11:20]) >= 8
        assert sum(shared[20:]) >= 9
    else:
        assert sum(shared[11:]) < 17
    records = ledger.records()
    assert {len(record.prefix) for record in records} == {2}
