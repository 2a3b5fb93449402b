import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bearing_search.config import (
    DETECTORS,
    PostprocessConfig,
    TrialConfig,
    digest_of,
    parse,
    to_plain,
)
from bearing_search.config.reference_values import LATER_SETTINGS
from bearing_search.measurement import COMPUTED_S, COST_S, OBJECTIVE, SAVED_S, TrialContext
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.stage_cache.key import StageKey
from bearing_search.training.content_digest import images_digest
from bearing_search.training.detection.detection import Detection
from bearing_search.training.detection.detector import make_detector
from bearing_search.training.finetuning.cached import cached_ends, part_keys
from bearing_search.training.folds.fold_stages import make_finetuner
from bearing_search.training.folds.stage_keys import (
    NOT_READ_BY_DETECTORS,
    FoldOutcome,
    Samples,
    fold_keys,
    load_outcome,
    plan_of,
    save_outcome,
)
from bearing_search.training.images import Images
from bearing_search.training.plan import detector_iterations, finetune_plan, fold_progress
from bearing_search.trial import run_trial


def images(seed: int = 0) -> Images:
    pixels = np.random.default_rng(seed).integers(0, 255, (5, 64, 64, 3)).astype(np.uint8)
    return Images(pixels=pixels, masks=pixels[..., 0] > 250)


def keys_of(config: TrialConfig, **changes) -> tuple[str, str, str]:
    facts: dict[str, Any] = {
        "normals": images(0),
        "anomalous": images(1),
        "held_out": (images(2), images(3)),
        "rotation_deg": 0.0,
        "shown": "names",
    }
    sha256 = changes.pop("weights_sha256", "abc")
    keys = fold_keys(config, Samples(**(facts | changes)), weights_sha256=sha256, device="cpu")
    # the encoder's content is known once it is made: another key, another content
    detector = keys.detector(f"content of {keys.encoder.digest}")
    return keys.encoder.digest, detector.digest, keys.distances.digest


def changed(config: TrialConfig, path: str, value) -> TrialConfig:
    section, _, name = path.rpartition(".")
    if not section:
        return replace(config, **{name: value})
    if section in DETECTORS:
        settings = config.section_of(DETECTORS[section].config)
        return config.with_section(replace(settings, **{name: value}))
    return replace(config, **{section: replace(getattr(config, section), **{name: value})})


@pytest.mark.parametrize(
    ("path", "value", "first_new"),
    [
        ("seed", 1, 0),
        ("encoder.name", "vit_small_patch16_224", 0),
        ("encoder.input_px", 128, 0),
        ("finetune.ssim_window", 5, 0),
        ("finetune.flip", True, 0),
        ("finetune.brightness_jitter", 0.1, 0),
        ("finetune.leave_out_masked_patches", True, 0),
        ("decoder.leave_out_masked_patches", True, 1),
        ("decoder.flip", True, 1),
        ("decoder.brightness_jitter", 0.1, 1),
        ("augment.rotated_parts", (), 3),  # seen in the angle, and in which images may turn
        ("detector", "vitad", 1),
        ("decoder.lr", 1e-3, 1),
        ("dinomaly.dropout", 0.1, 1),
        ("encoder.weights", "wheel", 3),  # their content counts, which is the same here
        ("vitad.mapping", "dinomaly", 3),  # of a detector that is not used
        ("parts", ("LC",), 3),
        ("scope", "multi_part", 3),
        ("split.seed", 1, 3),
        ("preprocess.geometry", {}, 3),
        ("fusion", "score_max", 3),
        ("postprocess.smoothing_sigma_px", 1.0, 3),
        ("protocol.fpr_limit", 0.1, 3),
    ],
)
def test_a_setting_names_its_stage_and_those_after_it(tiny_config, path, value, first_new):
    scored = PostprocessConfig(margin_px=0, leave_out_masked_patches=True)
    config = replace(tiny_config, postprocess=scored)  # without it, no decoder may leave them out
    before, after = keys_of(config), keys_of(changed(config, path, value))
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        stage < first_new for stage in range(3)
    ]


@pytest.mark.parametrize(
    ("change", "first_new"),
    [
        ({"weights_sha256": "abd"}, 0),
        ({"normals": images(7)}, 0),
        ({"anomalous": images(7)}, 0),
        ({"rotation_deg": 15.0}, 0),
        ({"held_out": (images(2), images(7))}, 2),
        ({"shown": "other names"}, 2),
        ({"stress": (images(7),)}, 2),
    ],
)
def test_other_contents_name_the_stages_that_read_them(tiny_config, change, first_new):
    before, after = keys_of(tiny_config), keys_of(tiny_config, **change)
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        stage < first_new for stage in range(3)
    ]


def test_a_frozen_encoder_is_the_same_whatever_fine_tuning_would_have_been(tiny_config):
    frozen = changed(tiny_config, "finetune.reconstruction_only_epochs", 0)
    frozen = changed(frozen, "finetune.epochs", 0)
    other = changed(frozen, "finetune.ssim_window", 5)
    assert keys_of(frozen) == keys_of(other)
    assert keys_of(frozen, anomalous=images(7)) == keys_of(frozen)
    assert keys_of(frozen)[0] != keys_of(tiny_config)[0]


def test_a_digest_is_of_the_content_in_its_order():
    assert images_digest(images(0)) == images_digest(images(0))
    assert images_digest(images(0)) != images_digest(images(1))
    swapped = Images(pixels=images().pixels[::-1], masks=images().masks[::-1])
    assert images_digest(swapped) != images_digest(images())
    others = {
        "pixels": ~images().pixels,
        "masks": ~images().masks,
        "roi": images().masks,
        "is_rotatable": np.arange(5) > 2,
    }
    assert others.keys() == {field.name for field in fields(Images)}
    for name, array in others.items():
        assert images_digest(replace(images(), **{name: array})) != images_digest(images())


class Watched(TrialConfig):
    """A config that notes which of its sections are read."""

    read: set = set()  # noqa: RUF012  # on the class: copies by `replace` note theirs here too

    def __getattribute__(self, name):
        if name in {field.name for field in fields(TrialConfig)}:
            Watched.read.add(name)
        return super().__getattribute__(name)

    def section_of(self, kind):
        Watched.read |= {name for name, spec in DETECTORS.items() if spec.config is kind}
        sections = object.__getattribute__(self, "sections")
        return next((one for one in sections if type(one) is kind), kind())


@pytest.mark.parametrize("name", DETECTORS)
def test_what_a_detector_reads_of_the_config_is_in_its_key(tiny_config, name):
    sections = {field.name: getattr(tiny_config, field.name) for field in fields(TrialConfig)}
    config = Watched(**(sections | {"detector": name}))
    encoder = load_encoder(tiny_config.encoder)
    Watched.read.clear()
    detector = make_detector(encoder, config, normals=images(), rotation_deg=0.0, device="cpu")
    for number in range(detector_iterations(config)):
        detector.iterate(number)
    detector.detect(images().pixels)
    others = (set(DETECTORS) - {name}) | {"sections"}  # all of them at once
    assert Watched.read & (NOT_READ_BY_DETECTORS | others) <= {"seed"}
    assert name in Watched.read
    # what it leaves alone, also where its iterations are counted, is in no digest of scheme 2
    assert fold_progress(config, num_normal=5, num_anomalous=5)[-1] > 0
    assert not Watched.read & DETECTORS[name].unread


OLD_NAMES = Path(__file__).parents[2] / "config/fixtures/digests_at_f25563c.json"


@pytest.mark.parametrize("is_later", [False, True])
def test_the_settings_in_keys_are_those_of_before_whatever_was_added(monkeypatch, is_later):
    """So that entries of f25563c are found; libraries and contents are in other facts."""
    if is_later:

        def with_more(config):
            plain = to_plain(config)
            plain["finetune"]["ema"], plain["encoder"]["crops"] = 0.0, [1]
            plain["dinomaly"]["depth"], plain["flow"], plain["tiles"] = None, {"steps": 8}, 1
            return plain

        added = {"finetune.ema": 0.0, "encoder.crops": [1], "dinomaly.depth": None}
        for path, value in (added | {"flow.steps": 8, "tiles": 1}).items():
            monkeypatch.setitem(LATER_SETTINGS, path, value)
        monkeypatch.setattr("bearing_search.training.folds.stage_keys.to_plain", with_more)
    samples = Samples(
        normals=images(0), anomalous=images(1), held_out=(), rotation_deg=15.0, shown="names"
    )
    for old in json.loads(OLD_NAMES.read_text(encoding="utf-8"))[::4]:
        config = parse(TrialConfig, old["config"])
        keys = fold_keys(config, samples, weights_sha256="abc", device="cpu")
        assert digest_of(keys.encoder.facts["settings"]) == old["encoder_settings"]
        assert digest_of(keys.detector("c").facts["settings"]) == old["detector_settings"]


def test_another_value_of_an_added_setting_names_its_stage(tiny_config, monkeypatch):
    before = keys_of(tiny_config)
    monkeypatch.setitem(LATER_SETTINGS, "finetune.ema", 0.0)
    plain = to_plain(tiny_config)
    plain["finetune"]["ema"] = 0.9
    monkeypatch.setattr("bearing_search.training.folds.stage_keys.to_plain", lambda config: plain)
    assert not set(keys_of(tiny_config)) & set(before)


def test_what_fine_tuning_reads_of_the_config_is_in_its_key(tiny_config):
    sections = {field.name: getattr(tiny_config, field.name) for field in fields(TrialConfig)}
    config, encoder = Watched(**sections), load_encoder(tiny_config.encoder)
    samples = Samples(
        normals=images(0), anomalous=images(1), held_out=(), rotation_deg=0.0, shown=""
    )
    Watched.read.clear()
    plan = plan_of(samples, config)
    make_finetuner(encoder, samples, config, "cpu").iterate(0, plan[0])
    assert Watched.read == {"finetune", "seed"}


@pytest.mark.parametrize("own_scores", [None, np.array([0.5, 0.25])])
def test_an_outcome_comes_back_as_it_was(tmp_path, own_scores):
    distances = np.random.default_rng(0).random((2, 1, 3, 3)).astype(np.float32)
    outcome = FoldOutcome(
        detections=(
            Detection(distances=distances, own_scores=own_scores),
            Detection(distances=distances + 1, own_scores=None),
        ),
        answers=({"patch_ap": 0.5}, {"patch_ap": float("nan")}),
        pictures={"patches_LC.png": b"picture"},
        rows=(("fine-tuning", {"loss": 0.1}), ("detector", {"loss": 1 / 3})),
        seconds={"encoder": {"a": 1.5}, "detector": {"b": 2.0}},
    )
    store = StageCache(tmp_path)
    with store.claim(StageKey("distances", {}), user="b") as entry:
        save_outcome(outcome, entry)
        store.finish(entry)
        back = load_outcome(entry)
    store.close()
    for found, kept in zip(back.detections, outcome.detections, strict=True):
        assert np.array_equal(found.distances, kept.distances)
        assert np.array_equal(found.own_scores, kept.own_scores)
    assert back.rows == outcome.rows
    assert repr(back.answers) == repr(outcome.answers)
    assert back.pictures == outcome.pictures
    assert {stage: set(spent) for stage, spent in back.seconds.items()} == {
        "encoder": {"a"},
        "detector": {"b"},
        "distances": {"b"},
    }


def run(tmp_path: Path, data: Path, config: TrialConfig, name: str, **more) -> Mapping[str, float]:
    context = TrialContext(data=data, folder=tmp_path / name, cache=tmp_path / "cache", **more)
    return list(run_trial(config, context))[-1].values


def reused(tmp_path: Path, name: str) -> list[list[str]]:
    folds = sorted((tmp_path / name).glob("*/*/unit.json"))
    return [json.loads(fold.read_text())["reused"] for fold in folds]


TUNED = ["features", "tuning", "encoder"]
EVERYTHING = [*TUNED, "detector", "distances"]
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "vitad": {"detector": "vitad"},
    "smoother": {"postprocess.smoothing_sigma_px": 1.0},
    "slower": {"decoder.lr": 1e-3},
    "patchcore": {"detector": "patchcore"},
    "reseeded": {"seed": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [("base", "vitad"), pytest.param(tuple(VARIANTS), marks=pytest.mark.slow)],
)
def test_shared_or_not_the_numbers_are_the_same_to_the_last_bit(
    tmp_path, make_set, tiny_config, names
):
    data = make_set()
    shared, alone = {}, {}
    for name in names:
        config = tiny_config
        for path, value in VARIANTS[name].items():
            config = changed(config, path, value)
        shared[name] = run(tmp_path, data, config, name)
        if name == "base":
            continue  # computes everything, shared or not
        alone[name] = run(tmp_path, data, config, f"{name}-alone", shares_stages=False)
        for metric in shared[name].keys() - {COMPUTED_S, COST_S, SAVED_S}:
            assert shared[name][metric] == alone[name][metric], (name, metric)
        assert alone[name][SAVED_S] == 0 < alone[name][COMPUTED_S]

    expected = {"base": [], "reseeded": [], "smoother": EVERYTHING}
    for name in names:
        assert OBJECTIVE in shared[name]
        assert reused(tmp_path, name) == [expected.get(name, TUNED)] * 2
    assert 0 < shared["vitad"][SAVED_S] < shared["base"][COMPUTED_S]
    if "smoother" in names:
        assert shared["smoother"][COMPUTED_S] == 0
        assert shared["smoother"][SAVED_S] == pytest.approx(shared["base"][COMPUTED_S], abs=0.01)
        pictures = sorted(file.name for file in (tmp_path / name / "artifacts").iterdir())
        assert len(pictures) == 4
        for picture in pictures if name in alone else ():
            ours, theirs = (tmp_path / n / "artifacts" / picture for n in (name, f"{name}-alone"))
            assert ours.read_bytes() == theirs.read_bytes()
    assert not list(tmp_path.glob("*-alone/**/*.pt"))
    assert {o.state for o in list_entries(tmp_path / "cache/stages")} == {"done"}


@pytest.mark.slow
def test_a_trial_goes_on_with_the_checkpoint_of_another(tmp_path, make_set, tiny_config):
    data = make_set()
    asked = iter(range(100))
    run_of_first = run_trial(
        tiny_config,
        TrialContext(
            data=data,
            folder=tmp_path / "first",
            cache=tmp_path / "cache",
            should_stop=lambda: next(asked) >= 8,
        ),
    )
    assert all(OBJECTIVE not in measurement.values for measurement in run_of_first)
    [stopped] = [o for o in list_entries(tmp_path / "cache/stages") if o.state == "stopped"]
    (before,) = stopped.home.glob("work.free/trace.jsonl")
    lines = before.read_text().splitlines()

    second = run(tmp_path, data, tiny_config, "second")

    assert (stopped.home / "done/trace.jsonl").read_text().splitlines()[: len(lines)] == lines
    assert reused(tmp_path, "second")[0] != []
    assert second[SAVED_S] > 0
    alone = run(tmp_path, data, tiny_config, "alone", shares_stages=False)
    assert second[OBJECTIVE] == alone[OBJECTIVE]


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 2, pytest.param(7, marks=pytest.mark.slow)])
def test_a_trial_whose_work_was_taken_over_goes_on_and_says_nothing_twice(
    tmp_path, make_set, tiny_config, at
):
    data, asked = make_set(), iter(range(10**6))

    def rob() -> bool:
        if next(asked) == at:  # as another process does that takes the work over, and stops
            (work,) = (tmp_path / "cache/stages").glob("*/*/work.*")
            work.rename(work.with_name("work.free"))
        return False

    context = TrialContext(
        data=data, folder=tmp_path / "robbed", cache=tmp_path / "cache", should_stop=rob
    )
    stream = list(run_trial(tiny_config, context))

    assert [measurement.step for measurement in stream] == list(range(len(stream)))
    alone = run(tmp_path, data, tiny_config, "alone", shares_stages=False)
    assert stream[-1].values[OBJECTIVE] == alone[OBJECTIVE]


@pytest.mark.slow
def test_turns_that_come_to_the_same_are_one_training(tmp_path, make_set, tiny_config):
    data = make_set()
    common = {"epochs": 4, "reconstruction_only_epochs": 2, "alternation_period": 2}
    for name, more in {
        "first": {},
        "longer-turn": {"alternation_period": 9},  # its first turn of patches does not end
        "other-turns": {"alternation_period": 1},
    }.items():
        run(tmp_path, data, with_tuning(tiny_config, **(common | more)), name)
    assert reused(tmp_path, "longer-turn") == [EVERYTHING] * 2
    assert reused(tmp_path, "other-turns") == [["features", "tuning"]] * 2


@pytest.mark.slow
def test_another_training_that_ends_with_the_same_weights_has_the_same_detector(
    tmp_path, make_set, tiny_config
):
    data = make_set()
    for name, rate in {"slow": 1e-5, "quick": 1e-3}.items():
        # all of the way back to the pretrained weights, whatever the rate
        config = with_tuning(tiny_config, tuned_share=0.0, encoder_lr=rate)
        run(tmp_path, data, config, name)
    assert reused(tmp_path, "quick") == [["features", "detector"]] * 2


def with_tuning(config: TrialConfig, **settings) -> TrialConfig:
    return replace(config, finetune=replace(config.finetune, **settings))


def tuning_entries(tmp_path: Path) -> int:
    return len(list((tmp_path / "cache/stages/tuning").glob("*/done")))


@pytest.mark.slow
def test_all_alternation_periods_share_the_epochs_of_reconstruction_alone(
    tmp_path, make_set, tiny_config
):
    data = make_set()
    common = {"epochs": 5, "reconstruction_only_epochs": 2, "schedule": "epochs"}
    found = {}
    for period in (1, 2):
        config = with_tuning(tiny_config, **common, alternation_period=period)
        found[period] = run(tmp_path, data, config, f"period-{period}")
        assert tuning_entries(tmp_path) == 2  # one for each of two folds
    alone = run(tmp_path, data, config, "alone", shares_stages=False)

    assert {metric for metric in alone if found[2][metric] != alone[metric]} <= {
        *(COMPUTED_S, SAVED_S, COST_S)
    }
    assert reused(tmp_path, "period-2") == [["features", "tuning"]] * 2
    assert 0 < found[2][SAVED_S] < found[1][COMPUTED_S]
    # every iteration of reconstruction alone was done once, by the first
    for trace in (tmp_path / "cache/stages/encoder").glob("*/done/trace.jsonl"):
        first, second = map(json.loads, trace.read_text().splitlines()[:2])
        assert (first["event"], second["event"]) == ("inherit", "start")
        assert first["iteration"] == second["iteration"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [(3, 5), (5, 3)])
def test_at_a_constant_rate_a_longer_training_goes_on_from_a_shorter_one(
    tmp_path, make_set, tiny_config, lengths
):
    data = make_set()
    common = {"reconstruction_only_epochs": 1, "alternation_period": 1, "schedule": "constant"}
    for epochs in lengths:
        config = with_tuning(tiny_config, **common, epochs=epochs)
        last = run(tmp_path, data, config, f"epochs-{epochs}")
    alone = run(tmp_path, data, config, "alone", shares_stages=False)

    assert {metric for metric in alone if last[metric] != alone[metric]} <= {
        *(COMPUTED_S, SAVED_S, COST_S)
    }
    assert reused(tmp_path, f"epochs-{lengths[1]}") == [["features", "tuning"]] * 2
    trained = [
        [json.loads(line)["iteration"] for line in trace.read_text().splitlines()]
        for trace in (tmp_path / "cache/stages/tuning").glob("*/done/trace.jsonl")
    ]
    spans = sorted((iterations[0], iterations[-1]) for iterations in trained)
    assert len(spans) == 2 * 3  # two folds: reconstruction alone, the shorter, the longer
    if lengths == (3, 5):
        assert len({first for first, _ in spans}) == 3  # each began where the one before had ended


@pytest.mark.slow
def test_a_part_that_was_stopped_goes_on_and_nothing_is_measured_twice(
    tmp_path, make_set, tiny_config
):
    data = make_set()
    config = with_tuning(
        tiny_config, epochs=4, reconstruction_only_epochs=2, alternation_period=1, schedule="epochs"
    )
    whole = run(tmp_path, data, config, "alone", shares_stages=False)
    steps = []
    for patience in (1, 2, 3, 5, 8, 10**6):
        asked = iter(range(10**9))
        context = TrialContext(
            data=data,
            folder=tmp_path / "trial",
            cache=tmp_path / "cache",
            should_stop=partial(lambda asked, patience: next(asked) >= patience, asked, patience),
        )
        stream = list(run_trial(config, context))
        steps.append([(m.step, m.values) for m in stream if OBJECTIVE not in m.values])
        assert [m.step for m in stream] == list(range(len(stream)))
    assert stream[-1].values[OBJECTIVE] == whole[OBJECTIVE]
    for shorter, longer in pairwise(steps):
        assert [step for step, _ in longer[: len(shorter)]] == [step for step, _ in shorter]


@pytest.mark.parametrize(
    ("schedule", "settings", "ends"),
    [
        ("iterations", {}, []),
        ("epochs", {}, [6]),
        ("epochs", {"reconstruction_only_epochs": 0}, []),
        ("epochs", {"epochs": 2}, []),
        ("constant", {}, [6, 10]),
        ("constant", {"epochs": 2}, [6]),
    ],
)
def test_which_parts_of_a_training_are_kept(tiny_config, schedule, settings, ends):
    common = {"epochs": 4, "reconstruction_only_epochs": 2, "alternation_period": 2}
    config = replace(tiny_config.finetune, **(common | settings), schedule=schedule, batch_size=2)
    plan = finetune_plan(config, num_normal=5, num_anomalous=4, seed=0)
    assert cached_ends(plan, schedule) == ends


def test_a_parts_name_tells_its_iterations_and_what_else_moves_it(tiny_config):
    def name(seed=0, **settings):
        config = with_tuning(
            replace(tiny_config, seed=seed),
            **({"epochs": 6, "reconstruction_only_epochs": 2, "schedule": "epochs"} | settings),
        )
        samples = Samples(
            normals=images(0), anomalous=images(1), held_out=(), rotation_deg=0.0, shown=""
        )
        whole = fold_keys(config, samples, weights_sha256="abc", device="cpu").encoder
        plan = plan_of(samples, config)
        return part_keys(whole, plan)[cached_ends(plan, "epochs")[0]].digest

    assert name() == name(alternation_period=1)
    others: list[dict[str, Any]] = [
        {"epochs": 7},
        {"ssim_window": 5},
        {"seed": 1},
        {"warmup_share": 0.5},
    ]
    others += [{"reconstruction_only_epochs": 3}, {"encoder_lr": 1e-3}, {"schedule": "constant"}]
    assert len({name(), *(name(**other) for other in others)}) == 1 + len(others)
