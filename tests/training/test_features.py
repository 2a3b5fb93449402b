import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bearing_search.config import DETECTORS, EncoderConfig, FinetuneConfig, TrialConfig
from bearing_search.measurement import COMPUTED_S, COST_S, SAVED_S, TrialContext
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.training import features
from bearing_search.training.backbone import load_backbone
from bearing_search.training.content_digest import encoder_digest
from bearing_search.training.features import FeatureReader, cached_features
from bearing_search.training.stage_runner import StageContext
from bearing_search.trial import run_trial

SIDE = 64
CNN = EncoderConfig(name="test_resnet", weights="random", input_px=SIDE)
FROZEN = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)


def pixels(count=5, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (count, SIDE, SIDE, 3)).astype(np.uint8)


@pytest.fixture
def stage_context(tmp_path):
    store = StageCache(tmp_path / "stages")
    yield StageContext(store=store, user="t", title="", should_stop=lambda: False, device="cpu")
    store.close()


@pytest.fixture(params=["vit", "cnn"])
def feature_reader(request, tiny_config):
    config = replace(tiny_config, finetune=FROZEN, detector="patchcore")
    if request.param == "cnn":
        return FeatureReader(
            load_backbone(replace(config, encoder=CNN)),
            [(2,), (3,)],
            is_rounded=False,
            device="cpu",
        )
    # ViTAD's neck may be one of its teacher's blocks: the same is read twice
    reads = [(1, 2), (3,), (1, 2)]
    return FeatureReader(load_backbone(config), reads, is_rounded=True, device="cpu")


def kept(stage_context, feature_reader, samples=None):
    samples = pixels() if samples is None else samples
    return cached_features(
        stage_context, feature_reader, encoder_digest(feature_reader.encoder), samples
    )


def entries(stage_context):
    return {
        occupant.name
        for occupant in list_entries(stage_context.store.root)
        if occupant.state == "done"
    }


def test_what_is_kept_is_what_would_be_read(stage_context, feature_reader):
    made, again = kept(stage_context, feature_reader), kept(stage_context, feature_reader)
    now = feature_reader.of_all(pixels())
    for one, other, third in zip(made.features, again.features, now, strict=True):
        assert one.dtype == other.dtype == third.dtype
        assert torch.equal(one, third)
        assert torch.equal(other, third)
    assert made.seconds.keys() == {"features"}
    assert made.seconds == again.seconds


def test_each_group_of_blocks_is_an_entry_and_all_that_is_missing_is_read_in_one_pass(
    stage_context, tiny_config, monkeypatch
):
    passes = []
    forward = Encoder.forward

    def count(self, images, blocks, **options):
        passes.append((len(images), list(blocks)))
        return forward(self, images, blocks, **options)

    monkeypatch.setattr(Encoder, "forward", count)
    encoder = load_backbone(tiny_config)

    def read(*reads):
        passes.clear()
        kept(
            stage_context, FeatureReader(encoder, reads, is_rounded=False, device="cpu"), pixels(3)
        )
        return [seen for seen in passes if seen[0] > 1]  # one sample tells their size

    assert read((1,), (3,)) == [(3, [1, 3])]
    assert read((3,)) == []
    assert read((3,), (2, 4), (1,), (4,)) == [(3, [2, 4])]
    assert len(entries(stage_context)) == 4


def test_an_entry_depends_on_weights_pixels_blocks_and_rounding_and_on_nothing_else(
    stage_context, tiny_config
):
    encoder = load_backbone(tiny_config)
    plain: dict[str, Any] = {"is_rounded": False, "device": "cpu"}
    kept(stage_context, FeatureReader(encoder, [(1,)], **plain))
    assert len(entries(stage_context)) == 1
    kept(stage_context, FeatureReader(load_backbone(tiny_config), [(1,)], **plain))
    assert len(entries(stage_context)) == 1  # equal weights
    kept(stage_context, FeatureReader(load_backbone(replace(tiny_config, seed=1)), [(1,)], **plain))
    kept(stage_context, FeatureReader(encoder, [(1,)], **plain), pixels(seed=1))
    kept(stage_context, FeatureReader(encoder, [(1,)], **(plain | {"is_rounded": True})))
    assert len(entries(stage_context)) == 4


def test_a_stop_leaves_nothing_half_read(stage_context, feature_reader):
    asked = iter([False, True])
    stopped = replace(stage_context, should_stop=lambda: next(asked))
    many = pixels(features._STOP_EVERY + 1)
    assert kept(stopped, feature_reader, many) is None
    assert entries(stage_context) == set()
    assert len(kept(stage_context, feature_reader, many).features[0]) == len(many)


def test_what_is_too_large_is_not_kept(stage_context, feature_reader, monkeypatch):
    monkeypatch.setitem(features.MAX_CACHED_BYTES, "cpu", 1000)
    assert kept(stage_context, feature_reader) == features.NOT_CACHED
    assert entries(stage_context) == set()


def run(tmp_path, data, config, name, **more):
    context = TrialContext(data=data, folder=tmp_path / name, cache=tmp_path / "cache", **more)
    values = list(run_trial(config, context))[-1].values
    folds = sorted((tmp_path / name).glob("*/*/unit.json"))
    reused = [json.loads(fold.read_text())["reused"] for fold in folds]
    return {k: v for k, v in values.items() if k not in (COMPUTED_S, COST_S, SAVED_S)}, reused


def frozen(config: TrialConfig, detector: str, **settings) -> TrialConfig:
    section = replace(config.section_of(DETECTORS[detector].config), **settings)
    return replace(config, finetune=FROZEN, detector=detector).with_section(section)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vit", "cnn"])
def test_detectors_on_a_frozen_encoder_share_what_they_read_of_it(
    tmp_path, make_set, tiny_config, kind
):
    data = make_set()
    base = replace(tiny_config, encoder=CNN) if kind == "cnn" else tiny_config
    same = {"layers": (2, 3), "blocks": (2, 3)}
    run(tmp_path, data, frozen(base, "patchcore", **same), "first")
    for name in ("patchcore", "padim"):
        # another seed, too: nothing in what is read is random (but random weights are the seed's)
        config = frozen(
            base, name, **same, **({"num_neighbours": 1} if name == "patchcore" else {})
        )
        found, reused = run(tmp_path, data, config, name)
        assert reused == [["features"]] * 2
        alone, _ = run(tmp_path, data, config, f"{name}-alone", shares_stages=False)
        assert found == alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dinomaly", "vitad"])
def test_decoders_on_a_frozen_encoder_share_what_they_read_of_it(
    tmp_path, make_set, tiny_config, name
):
    data = make_set()
    config = frozen(tiny_config, name)
    run(tmp_path, data, config, "first")
    slower = replace(config, decoder=replace(config.decoder, lr=1e-3))
    found, reused = run(tmp_path, data, slower, "slower")
    assert reused == [["features"]] * 2
    alone, _ = run(tmp_path, data, slower, "alone", shares_stages=False)
    assert found == alone
