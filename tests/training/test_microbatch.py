"""A device without room for a batch, played by networks that refuse more than so many samples."""

import copy
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch

from bearing_search.config import DinomalyConfig, PostprocessConfig
from bearing_search.errors import TrialFailedError
from bearing_search.measurement import MICRO_BATCH, OBJECTIVE, TrialContext
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.encoders.encoder import Encoder, load_encoder
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.checkpoint import Checkpoint
from bearing_search.training.detection.detector import make_detector, train_detector
from bearing_search.training.finetuning.finetuner import Finetuner, FinetuneSamples
from bearing_search.training.finetuning.loop import finetune
from bearing_search.training.images import Images
from bearing_search.training.microbatch import (
    MicroBatches,
    each_portion,
    is_out_of_memory,
    smallest,
)
from bearing_search.training.plan import Step, finetune_plan
from bearing_search.trial import run_trial

SIDE = 64
BATCH = np.arange(5)


def no_room(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")


@pytest.fixture
def room_for(monkeypatch):
    """Lets methods of networks see so many samples at once, along the axis that counts them."""

    def limit(count, *methods):
        for owner, name, axis in methods:
            real = getattr(owner, name)

            def limited(self, images, *more, real=real, axis=axis, **options):
                if images.shape[axis] > count:
                    no_room()
                return real(self, images, *more, **options)

            monkeypatch.setattr(owner, name, limited)

    return limit


LEARNING = ((MultiTaskModel, "reconstruct", 0), (MultiTaskModel, "classify", 0))
DECODER = (DinomalyDecoder, "forward", 1)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (5, SIDE, SIDE, 3)).astype(np.uint8)
    masks = np.zeros((5, SIDE, SIDE), dtype=bool)
    for sample in range(5):  # the anomalous patches are not spread evenly over the batch
        masks[sample, 20 : 24 + 8 * sample, 20:28] = True
    roi = np.ones_like(masks)
    for sample in range(5):  # nor are those that the black mask touches
        roi[sample, : 16 * sample // 2, :20] = False
    return Images(pixels=pixels, masks=masks, roi=roi)


@pytest.fixture(params=[False, True])
def finetuner(request, tiny_config, images):
    config = replace(
        tiny_config.finetune,
        positive_weight=7.0,
        patch_anchor_weight=0.5,
        leave_out_masked_patches=request.param,
    )
    encoder = load_encoder(tiny_config.encoder)
    frozen = copy.deepcopy(encoder)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():  # or L_P would be 0, and its gradient rounding alone
        for weight in encoder.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=rng))
    return Finetuner(
        encoder,
        frozen,
        config,
        FinetuneSamples(normals=images, anomalous=images, rotation_deg=5.0),
        seed=0,
        device="cpu",
    )


@pytest.fixture
def detector_of(tiny_config, images):
    def make(name="dinomaly", dropout=0.0, device="cpu", leave_out=False):
        decoder = replace(tiny_config.decoder, batch_size=5, leave_out_masked_patches=leave_out)
        dinomaly = replace(tiny_config.section_of(DinomalyConfig), dropout=dropout)
        scored = PostprocessConfig(margin_px=0, leave_out_masked_patches=True)
        config = replace(tiny_config, detector=name, decoder=decoder, postprocess=scored)
        config = config.with_section(dinomaly)
        encoder = load_encoder(tiny_config.encoder)
        return make_detector(encoder, config, normals=images, rotation_deg=0.0, device=device)

    return make


def gradients(module):
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}


def assert_same_gradients(found, expected):
    assert found.keys() == expected.keys()
    scale = max(gradient.abs().max() for gradient in expected.values())
    assert scale > 1e-4
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-4 * scale), name


@pytest.fixture(autouse=True)
def _fp32(monkeypatch):
    # bf16 rounds a batch and its parts differently, by more than what is looked for here
    for module in ("finetuning.task_losses", "features", "detection.decoder"):
        monkeypatch.setattr(
            f"bearing_search.training.{module}.autocast",
            lambda device: torch.autocast("cpu", enabled=False),
        )


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    # a collection takes most of a second here, and on the CPU there is nothing to give back
    monkeypatch.setattr("bearing_search.training.microbatch.release_memory", lambda: None)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("room", [1, 2, 4])
def test_the_parts_of_a_batch_have_the_gradient_of_the_whole(finetuner, room_for, task, room):
    step = Step(0, task, BATCH, ends_epoch=True, lr_factor=1.0)
    losses, patches = finetuner.accumulate_gradient(step, 3, [slice(0, 5)])
    whole = gradients(finetuner.model)
    room_for(room, *LEARNING)

    split, scores = finetuner.micro_batches.step(
        5, lambda parts: finetuner.accumulate_gradient(step, 3, parts)
    )

    assert finetuner.micro_batches.size == {1: 1, 2: 2, 4: 3}[room]
    assert_same_gradients(gradients(finetuner.model), whole)
    assert split == (pytest.approx(losses, rel=1e-4))
    if task is Task.PATCH_CLASSIFICATION:
        assert torch.equal(scores.is_anomalous, patches.is_anomalous)
        assert torch.allclose(scores.scores, patches.scores, atol=1e-4)


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("name", ["dinomaly", "vitad"])
@pytest.mark.parametrize("parts", [[slice(0, 3), slice(3, 5)], [slice(i, i + 1) for i in range(5)]])
def test_hard_mining_looks_at_the_whole_batch_also_in_parts(detector_of, name, parts, leave_out):
    detector = detector_of(name, leave_out=leave_out)
    loss = detector.accumulate_gradient(BATCH, 3, [slice(0, 5)])
    whole = gradients(detector.decoder)

    split = detector.accumulate_gradient(BATCH, 3, parts)

    assert split == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(gradients(detector.decoder), whole)


def test_thresholds_of_the_parts_alone_would_give_another_gradient(detector_of, monkeypatch):
    detector = detector_of()
    detector.accumulate_gradient(BATCH, 3, [slice(0, 5)])
    whole = gradients(detector.decoder)
    monkeypatch.setattr(DinomalyDecoder, "thresholds", lambda *_, **__: None)

    detector.accumulate_gradient(BATCH, 3, [slice(i, i + 1) for i in range(5)])

    with pytest.raises(AssertionError):
        assert_same_gradients(gradients(detector.decoder), whole)


def test_both_passes_over_a_part_drop_the_same_tokens(detector_of, monkeypatch):
    detector = detector_of(dropout=0.5)
    states = []
    answer = DinomalyDecoder.forward

    def note(decoder, gathered):
        states.append(torch.get_rng_state())
        return answer(decoder, gathered)

    monkeypatch.setattr(DinomalyDecoder, "forward", note)
    detector.accumulate_gradient(BATCH, 3, [slice(0, 3), slice(3, 5)])

    first, second, again_first, again_second = states
    assert torch.equal(first, again_first)
    assert torch.equal(second, again_second)
    assert not torch.equal(first, second)


def test_a_stage_halves_until_it_fits_says_so_and_remembers(
    finetuner, images, room_for, tmp_path, caplog
):
    room_for(1, *LEARNING)
    plan = finetune_plan(finetuner.config, num_normal=5, num_anomalous=5, seed=0)
    stops = iter([False] * 3 + [True])
    checkpoint = Checkpoint(tmp_path, "finetune")
    with caplog.at_level("WARNING"):
        rows = list(
            finetune(finetuner, plan, checkpoint=checkpoint, should_stop=lambda: next(stops))
        )

    assert [row["micro_batch"] for row in rows] == [1.0]
    told = [line for line in caplog.messages if "out of device memory" in line]
    assert len(told) == 2  # 4 -> 2 -> 1
    assert (
        "fine-tuning: out of device memory (CUDA out of memory. Tried to allocate 2.00 GiB.)"
        in told[0]
    )
    assert "micro-batches of 2 of 4 samples" in told[0]

    caplog.clear()
    finetuner.micro_batches = MicroBatches("fine-tuning")  # another process
    again = Checkpoint(tmp_path, "finetune")
    rows = list(finetune(finetuner, plan, checkpoint=again, should_stop=lambda: False))
    assert [row["micro_batch"] for row in rows] == [1.0] * 3
    assert caplog.messages == []


def test_a_detector_remembers_too(detector_of, room_for, tmp_path):
    room_for(2, DECODER)
    stops = iter([False] * 2 + [True])
    checkpoint = Checkpoint(tmp_path, "detector")
    list(train_detector(detector_of(), 6, checkpoint=checkpoint, should_stop=lambda: next(stops)))

    again = detector_of()
    checkpoint = Checkpoint(tmp_path, "detector")
    rows = list(train_detector(again, 6, checkpoint=checkpoint, should_stop=lambda: False))
    assert again.micro_batches.size == 2
    assert {row["micro_batch"] for row in rows} == {2.0}


def test_a_cache_on_the_device_goes_first_and_once(detector_of, monkeypatch):
    detector = detector_of(device="cpu:0")  # the same to torch, but not the main memory
    detector.iterate(0)
    sizes = []
    answer = DinomalyDecoder.forward

    def refuses(decoder, gathered):
        sizes.append(gathered.shape[1])
        return no_room() if len(sizes) in (1, 3) else answer(decoder, gathered)

    monkeypatch.setattr(DinomalyDecoder, "forward", refuses)
    detector.iterate(1)
    assert sizes == [5, 5]
    assert detector.micro_batches.size is None

    detector.iterate(2)
    assert sizes[2] == 5
    assert detector.micro_batches.size == 3


def test_no_room_for_one_sample_fails_the_trial_and_says_what_to_do():
    with pytest.raises(
        TrialFailedError, match=r"detector: a single sample .* \(CUDA out .*input_px"
    ):
        MicroBatches("detector").step(4, no_room)
    with pytest.raises(TrialFailedError, match="distances: a single sample does not fit"):
        each_portion(4, no_room, at_most=3, what="distances")


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def broken(parts):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        MicroBatches("detector").step(4, broken)
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))
    assert not is_out_of_memory(MemoryError())


def test_what_needs_no_gradient_is_done_in_portions_in_its_order():
    asked = []

    def run(part):
        asked.append(part.stop - part.start)
        return list(range(9))[part] if asked[-1] <= 3 else no_room()

    assert list(chain(*each_portion(9, run, at_most=6, what="x"))) == list(range(9))
    assert asked == [6, 3, 3, 3]
    assert smallest([("a", {"micro_batch": 4.0}), ("a", {"micro_batch": 2.0}), ("b", {})]) == {
        "a": 2
    }


@pytest.mark.slow
def test_a_trial_without_room_finishes_and_says_so(tmp_path, make_set, tiny_config, room_for):
    room_for(1, *LEARNING)
    room_for(2, DECODER, (Encoder, "forward", 0))
    context = TrialContext(data=make_set(), folder=tmp_path / "trial", cache=tmp_path / "cache")

    stream = list(run_trial(tiny_config, context))

    assert OBJECTIVE in stream[-1].values
    assert stream[-1].values[MICRO_BATCH] == 1
    assert stream[-1].tags["micro_batch/plate/fold1"] == "fine-tuning 1, detector 2"
    # whoever reuses the stages tells it as well
    other = replace(context, folder=tmp_path / "other")
    assert list(run_trial(tiny_config, other))[-1].values[MICRO_BATCH] == 1
