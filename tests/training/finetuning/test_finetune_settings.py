import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from bearing_search.config import EncoderConfig
from bearing_search.data.synthetic_defects import draw_defect
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.models.finetuning.losses import perceptual_loss
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.finetuning.finetuner import Finetuner, FinetuneSamples
from bearing_search.training.finetuning.frozen_features import layer_maps
from bearing_search.training.images import Images, take_or_draw, to_input, with_drawn_defects
from bearing_search.training.plan import Step, finetune_plan
from bearing_search.training.precision import autocast

SIDE = 64
BATCH = np.arange(4)


@pytest.fixture(scope="module")
def pretrained():
    # 4 x 4 patches of 16 px, 6 blocks
    return load_encoder(EncoderConfig(name="test_vit", weights="random", input_px=SIDE))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (4, SIDE, SIDE, 3)).astype(np.uint8)
    masks = np.zeros((4, SIDE, SIDE), dtype=bool)
    masks[:, 20:28, 20:28] = True
    pixels[masks] += 60
    return Images(pixels=pixels, masks=masks)


@pytest.fixture
def tuning_with(pretrained, images, tiny_config):
    def make(shown=images, **settings) -> Finetuner:
        settings = {"ssim_layers": (pretrained.num_blocks,), **settings}
        config = replace(tiny_config.finetune, **settings)
        return Finetuner(
            copy.deepcopy(pretrained),
            copy.deepcopy(pretrained),
            config,
            FinetuneSamples(normals=shown, anomalous=shown, rotation_deg=0.0),
            seed=0,
            device="cpu",
        )

    return make


def step(task, batch=BATCH, epoch=0, lr_factor=1.0):
    return Step(epoch, task, batch, ends_epoch=True, lr_factor=lr_factor)


def moved_by_both_tasks(finetuner, pretrained) -> set[str]:
    for number, task in enumerate((Task.RECONSTRUCTION, Task.PATCH_CLASSIFICATION)):
        finetuner.iterate(number, step(task))
    before = dict(pretrained.named_parameters())
    moved = {n for n, p in finetuner.encoder.named_parameters() if not torch.equal(p, before[n])}
    return {".".join(name.split(".")[1:3]) if ".blocks." in name else name for name in moved}


@pytest.mark.parametrize("last_blocks", [0, 1, 2])
def test_only_the_last_blocks_and_the_final_norm_learn(tuning_with, pretrained, last_blocks):
    moved = moved_by_both_tasks(tuning_with(trainable_blocks=last_blocks), pretrained)

    count = pretrained.num_blocks
    blocks = {f"blocks.{i}" for i in range(count - last_blocks, count)}
    norm = {"vit.norm.weight", "vit.norm.bias"} if last_blocks else set()
    assert moved == blocks | norm


def test_everything_learns_by_default(tuning_with, pretrained):
    moved = moved_by_both_tasks(tuning_with(), pretrained)
    assert {f"blocks.{i}" for i in range(pretrained.num_blocks)} < moved
    assert {"vit.pos_embed", "vit.patch_embed.proj.weight", "vit.norm.weight"} < moved


def test_heads_on_early_blocks_leave_the_later_ones_alone(tuning_with, pretrained):
    finetuner = tuning_with(
        patch_head_blocks=(1, 2), reconstruction_head_blocks=(2,), ssim_layers=(1,)
    )
    moved = moved_by_both_tasks(finetuner, pretrained)
    assert {name for name in moved if name.startswith("blocks.")} == {"blocks.0", "blocks.1"}


def test_a_head_on_blocks_reads_the_mean_of_their_normed_tokens(tuning_with, images):
    model = tuning_with(patch_head_blocks=(1, 3)).model.eval()
    pixels = to_input(images.pixels, "cpu")
    with torch.no_grad():
        logits, _ = model.classify(pixels)
        blocks = model.encoder(pixels, (1, 3)).blocks
        mean = ((blocks[1] + blocks[3]) / 2)[:, model.encoder.num_prefix_tokens :]
        normed = torch.nn.functional.layer_norm(mean, mean.shape[-1:])
        expected = normed @ model.heads["patch"].classify.weight.T
    assert torch.allclose(logits, expected, atol=1e-5)


def test_an_anchor_holds_normal_patches_and_lets_anomalous_ones_go(tuning_with, images):
    free, held = tuning_with(), tuning_with(patch_anchor_weight=3.0)
    for _ in range(3):  # at the frozen weights the anchor has no gradient yet
        free_losses, _ = free.iterate(1, step(Task.PATCH_CLASSIFICATION))
        held_losses, _ = held.iterate(1, step(Task.PATCH_CLASSIFICATION))

    assert set(free_losses) == {"patch_loss"}
    assert set(held_losses) == {"patch_loss", "patch_anchor_loss"}
    assert held_losses["patch_anchor_loss"] > 0
    pairs = zip(free.encoder.parameters(), held.encoder.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_the_anchor_is_that_of_maps_whose_anomalous_patches_are_frozen(
    tuning_with, images, pretrained
):
    finetuner = tuning_with(patch_anchor_weight=1.0)
    with torch.no_grad(), autocast("cpu"):
        for parameter in finetuner.encoder.parameters():
            parameter.mul_(1.1)
        pixels, layer = to_input(images.pixels, "cpu"), (pretrained.num_blocks,)
        ours = layer_maps(finetuner.encoder(pixels, layer), layer, finetuner.encoder)
        theirs = layer_maps(pretrained(pixels, layer), layer, pretrained)
        ours[0][:, :, 1, 1] = theirs[0][:, :, 1, 1]  # rows and columns 20 to 27 of 16 px patches
        expected = perceptual_loss(ours, theirs, window=7)

    losses, _ = finetuner.iterate(0, step(Task.PATCH_CLASSIFICATION))

    assert losses["patch_anchor_loss"] == pytest.approx(float(expected), rel=1e-3)


def with_black_column(images):
    """The images without the leftmost of the four columns of patches, but for one of its pixels."""
    roi = np.ones_like(images.masks)
    roi[:, :, 15] = False
    return replace(images, roi=roi)


@pytest.mark.parametrize(
    ("task", "name"),
    [(Task.RECONSTRUCTION, "pixel_loss"), (Task.PATCH_CLASSIFICATION, "patch_loss")],
)
def test_what_patches_show_that_the_mask_touches_is_in_no_loss(tuning_with, images, task, name):
    black = with_black_column(images)
    other = images.pixels.copy()
    other[:, :, :16] = 255 - other[:, :, :16]
    changed = replace(black, pixels=other)

    def loss_of(shown, **settings):
        finetuner = tuning_with(shown, **settings)
        for block in finetuner.encoder.vit.blocks:  # without attention, tokens see their own patch
            torch.nn.init.zeros_(block.attn.proj.weight)
        return finetuner.iterate(0, step(task))[0][name]

    left_out = {"leave_out_masked_patches": True}
    assert loss_of(black, **left_out) == pytest.approx(loss_of(changed, **left_out), rel=1e-4)
    assert loss_of(black) != pytest.approx(loss_of(changed), rel=1e-4)


def test_what_is_left_out_counts_as_reconstructed(tuning_with, images):
    finetuner = tuning_with(with_black_column(images), leave_out_masked_patches=True)
    pixels = to_input(images.pixels, "cpu")
    with torch.no_grad(), autocast("cpu"):
        rebuilt = finetuner.model.reconstruct(pixels)[0].float()
    expected = (rebuilt - pixels)[..., 16:].square().sum() / pixels.numel()

    losses, _ = finetuner.iterate(0, step(Task.RECONSTRUCTION))

    assert losses["pixel_loss"] == pytest.approx(float(expected), rel=1e-3)


def test_patches_that_are_left_out_are_in_no_patch_metric(tuning_with, images):
    black = with_black_column(images)
    kept = tuning_with(black, leave_out_masked_patches=True)
    assert len(kept.iterate(0, step(Task.PATCH_CLASSIFICATION))[1].scores) == 4 * 12
    assert len(tuning_with(black).iterate(0, step(Task.PATCH_CLASSIFICATION))[1].scores) == 4 * 16


def test_a_region_that_is_everything_leaves_every_loss_as_it_is(tuning_with):
    plain, kept = tuning_with(), tuning_with(leave_out_masked_patches=True)
    for number, task in enumerate(Task):
        assert plain.iterate(number, step(task))[0] == kept.iterate(number, step(task))[0]


@pytest.mark.parametrize(("coverage", "marked"), [(0.0, 4), (0.25, 4), (0.26, 0)])
def test_coverage_decides_which_patches_are_anomalous(tuning_with, coverage, marked):
    # the defect covers 8 x 8 of the 16 x 16 px of one patch, in each of 4 images
    finetuner = tuning_with(patch_coverage=coverage)
    _, patches = finetuner.iterate(0, step(Task.PATCH_CLASSIFICATION))
    assert patches.is_anomalous.sum() == marked


def test_flips_show_a_batch_in_one_of_eight_ways_and_the_labels_with_it(
    images, pretrained, tuning_with
):
    finetuner = tuning_with(ssim_layers=(1,), flip=True)
    shown = [finetuner.augmented(images, number) for number in range(40)]
    assert len({batch.pixels.tobytes() for batch in shown}) == 8
    assert len({batch.masks.tobytes() for batch in shown}) == 4  # the square lies on the diagonal
    labels = {
        number: finetuner.iterate(number, step(Task.PATCH_CLASSIFICATION))[1].is_anomalous
        for number in range(9)
    }
    for number, found in labels.items():
        cells = shown[number].masks.reshape(4, 4, 16, 4, 16).any(axis=(2, 4))
        assert (found.numpy() == cells.ravel()).all()
    finetuner.load(
        {"encoder": pretrained.state_dict(), "heads": finetuner.model.heads.state_dict()}
    )
    for number in range(0, 9, 2):  # frozen maps are flipped too
        losses, _ = finetuner.iterate(number, step(Task.RECONSTRUCTION, lr_factor=0.02))
        assert losses["perceptual_loss"] < 0.1


def test_jitter_brightens_a_batch_as_a_whole_and_frozen_maps_see_the_same(images, tuning_with):
    finetuner = tuning_with(ssim_layers=(1,), brightness_jitter=0.3)
    shown = [finetuner.augmented(images, number) for number in range(9)]
    ratios = [batch.pixels.mean() / images.pixels.mean() for batch in shown]
    assert len({round(ratio, 3) for ratio in ratios}) == 9
    assert all(0.69 < ratio < 1.31 for ratio in ratios)
    assert all((batch.masks == images.masks).all() for batch in shown)
    assert (finetuner.augmented(images, 4).pixels == shown[4].pixels).all()
    losses, _ = finetuner.iterate(2, step(Task.RECONSTRUCTION))
    assert losses["perceptual_loss"] < 1e-3  # the weights are still the frozen ones


def test_without_augmentation_a_batch_is_shown_as_it_is(images, tuning_with):
    assert tuning_with().augmented(images, 3) is images


def test_drawn_defects_fill_their_share_of_every_batch(tiny_config):
    config = replace(
        tiny_config.finetune,
        epochs=3,
        reconstruction_only_epochs=0,
        alternation_period=3,
        batch_size=4,
        synthetic_defects="always",
        synthetic_share=0.5,
        patch_steps_per_epoch=3,
    )
    plan = finetune_plan(config, num_normal=9, num_anomalous=4, seed=0)

    assert len(plan) == 9
    assert all((s.batch < 4).sum() == 2 and len(s.batch) == 4 for s in plan)
    seen = np.bincount(np.concatenate([s.batch for s in plan]), minlength=13)
    assert seen[:4].max() - seen[:4].min() <= 1  # 18 looks at 4 real samples
    assert seen[4:].tolist() == [2] * 9  # 18 looks at 9 normal ones


def test_without_real_defects_all_are_drawn(tiny_config):
    config = replace(
        tiny_config.finetune, epochs=2, reconstruction_only_epochs=0, synthetic_defects="always"
    )
    plan = finetune_plan(config, num_normal=6, num_anomalous=0, seed=0)
    assert [len(s.batch) for s in plan if s.epoch == 0] == [4, 4]


def test_steps_of_patch_classification_can_be_set_without_drawing(tiny_config):
    config = replace(
        tiny_config.finetune, epochs=2, reconstruction_only_epochs=0, patch_steps_per_epoch=5
    )
    plan = finetune_plan(config, num_normal=6, num_anomalous=3, seed=0)
    patch = [s for s in plan if s.task is Task.PATCH_CLASSIFICATION]
    assert len(patch) == 5
    assert all(sorted(s.batch.tolist()) == [0, 1, 2] for s in patch)


def test_defects_are_drawn_anew_in_every_epoch_and_the_same_again(images):
    index = np.array([2, 0])
    first, again, later = (
        with_drawn_defects(images, index, seed=(0, 8, epoch)) for epoch in (0, 0, 1)
    )
    assert (first.pixels == again.pixels).all()
    assert (first.masks != later.masks).any(axis=(1, 2)).all()
    alone = with_drawn_defects(images, np.array([0]), seed=(0, 8, 0))
    assert (alone.masks[0] == first.masks[1]).all()  # whatever else is in the batch


def test_defects_are_drawn_inside_the_region_of_interest(images):
    roi = np.zeros_like(images.masks)
    roi[:, :, :20] = True
    inside = Images(pixels=images.pixels, masks=images.masks, roi=roi)
    drawn = with_drawn_defects(inside, BATCH, seed=(0,))
    assert drawn.masks.any(axis=(1, 2)).all()
    assert not drawn.masks[~roi].any()


def test_a_batch_holds_the_real_samples_and_the_drawn_ones(images):
    batch = take_or_draw(images, images, np.array([3, 1, 4, 6]), seed=(0, 8, 7))

    assert (batch.pixels[:2] == images.pixels[[3, 1]]).all()
    rng = np.random.default_rng((0, 8, 7, 2))
    _, mask = draw_defect(images.pixels[2], np.ones((SIDE, SIDE), dtype=bool), rng)
    assert (batch.masks[3] == mask).all()


def test_drawn_defects_reach_the_patch_task(tuning_with):
    batch = np.array([4, 5, 6, 7])  # nothing but drawn ones
    labels = [
        tuning_with(synthetic_defects="always")
        .iterate(0, step(Task.PATCH_CLASSIFICATION, batch, epoch))[1]
        .is_anomalous
        for epoch in (0, 0, 1)
    ]
    assert torch.equal(labels[0], labels[1])
    assert not torch.equal(labels[0], labels[2])


def test_patch_ap_is_that_of_the_epochs_logits(tuning_with):
    _, patches = tuning_with().iterate(0, step(Task.PATCH_CLASSIFICATION))
    assert patches.scores.shape == patches.is_anomalous.shape == (4 * 16,)
