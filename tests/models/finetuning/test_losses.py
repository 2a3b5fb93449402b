import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from bearing_search.config import DinomalyConfig
from bearing_search.models.detectors.decoder_losses import (
    dinomaly_loss,
    mining_share_at,
    vitad_loss,
)
from bearing_search.models.finetuning.losses import (
    patch_loss,
    patch_weight,
    perceptual_loss,
    pixel_loss,
    ssim,
)


def randn(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


class TestSsim:
    def test_equal_maps_give_one(self):
        maps = randn(2, 3, 16, 16)

        assert ssim(maps, maps, data_range=6.0, window=7).item() == 1

    def test_two_constant_maps_by_hand(self):
        # no structure: only the luminance term is left
        first, second = (torch.full((1, 1, 8, 8), x).double() for x in (1.0, 3.0))
        c1 = (0.01 * 6) ** 2

        expected = (2 * 1 * 3 + c1) / (1 + 9 + c1)
        assert ssim(first, second, data_range=6.0, window=7).item() == pytest.approx(expected)

    @pytest.mark.parametrize("window", [7, 11])
    def test_agrees_with_the_formula_on_scipys_filters(self, window):
        first, second = randn(2, 3, 14, 12).double(), randn(2, 3, 14, 12, seed=1).double()
        second = 0.6 * first + 0.4 * second
        half = window // 2

        def smoothed(maps):
            filtered = ndimage.gaussian_filter(
                maps.numpy(), sigma=(0, 0, 1.5, 1.5), radius=(0, 0, half, half)
            )
            return filtered[:, :, half:-half, half:-half]

        mean1, mean2 = smoothed(first), smoothed(second)
        variance1 = smoothed(first**2) - mean1**2
        variance2 = smoothed(second**2) - mean2**2
        covariance = smoothed(first * second) - mean1 * mean2
        c1, c2 = 0.06**2, 0.18**2
        luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
        structure = (2 * covariance + c2) / (variance1 + variance2 + c2)

        found = ssim(first, second, data_range=6.0, window=window)
        assert found.item() == pytest.approx(np.mean(luminance * structure), abs=1e-12)

    @pytest.mark.parametrize(("side", "used"), [(6, 5), (5, 5), (1, 1)])
    def test_on_a_small_map_the_window_shrinks_to_the_largest_odd_side(self, side, used):
        first, second = randn(1, 2, side, side), randn(1, 2, side, side, seed=1)

        expected = ssim(first, second, data_range=6.0, window=used)
        assert torch.equal(ssim(first, second, data_range=6.0, window=11), expected)

    @given(gain=st.floats(0.1, 10), seed=st.integers(0, 99))
    def test_maps_and_range_scaled_together_change_nothing(self, gain, seed):
        first, second = randn(1, 2, 9, 9, seed=seed).double(), randn(1, 2, 9, 9, seed=99).double()

        expected = ssim(first, second, data_range=6.0, window=7).item()
        found = ssim(gain * first, gain * second, data_range=gain * 6.0, window=7).item()
        assert found == pytest.approx(expected, abs=1e-9)
        assert -1 <= found <= 1


class TestPerceptualLoss:
    def test_before_the_first_step_it_is_zero_with_zero_gradient(self):
        frozen = [randn(2, 3, 16, 16), randn(2, 3, 16, 16, seed=1)]
        trained = [maps.clone().requires_grad_() for maps in frozen]

        loss = perceptual_loss(trained, frozen, window=7)
        loss.backward()

        assert loss.item() == 0
        # rounding of terms that cancel, of about 1 / number of values
        assert all(maps.grad.abs().max() < 1e-8 for maps in trained)

    def test_layers_add_up(self):
        ours, frozen = (
            [randn(2, 3, 9, 9), randn(2, 3, 9, 9, seed=1)],
            [randn(2, 3, 9, 9, seed=2)] * 2,
        )

        single = [
            perceptual_loss([one], [reference], window=7)
            for one, reference in zip(ours, frozen, strict=True)
        ]
        assert torch.allclose(perceptual_loss(ours, frozen, window=7), torch.stack(single).sum())

    def test_an_outlier_channel_weighs_no_more_than_another(self):
        ours, frozen = randn(2, 3, 9, 9), randn(2, 3, 9, 9, seed=1)
        gains = torch.tensor([1.0, 500.0, 0.01]).reshape(1, 3, 1, 1)
        offsets = torch.tensor([0.0, 2000.0, 3.0]).reshape(1, 3, 1, 1)

        found = perceptual_loss([gains * ours + offsets], [gains * frozen + offsets], window=7)
        expected = perceptual_loss([ours], [frozen], window=7)
        assert found.item() == pytest.approx(expected.item(), rel=1e-3)  # fp32 around 2000

    def test_both_maps_are_standardised_by_the_frozen_one(self):
        ours, frozen = 3 * randn(2, 3, 9, 9) + 1, randn(2, 3, 9, 9, seed=1)
        mean = frozen.mean(dim=(0, 2, 3), keepdim=True)
        deviation = frozen.std(dim=(0, 2, 3), keepdim=True, correction=0)
        ours_now, frozen_now = (ours - mean) / deviation, (frozen - mean) / deviation

        expected = 1 - ssim(ours_now, frozen_now, data_range=6.0, window=7)
        found = perceptual_loss([ours], [frozen], window=7)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)
        given = perceptual_loss([ours], [frozen], window=7, moments=[(mean, deviation)])
        assert given.item() == pytest.approx(expected.item(), rel=1e-5)

    def test_a_channel_that_never_changes_stays_finite(self):
        frozen = randn(2, 3, 9, 9)
        frozen[:, 1] = 4.0
        trained = (frozen + 0.1).requires_grad_()

        loss = perceptual_loss([trained], [frozen], window=7)
        loss.backward()

        assert torch.isfinite(loss)
        assert torch.isfinite(trained.grad).all()

    def test_the_frozen_maps_get_no_gradient(self):
        frozen = randn(1, 2, 8, 8, requires_grad=True)

        perceptual_loss(
            [randn(1, 2, 8, 8, seed=1, requires_grad=True)], [frozen], window=7
        ).backward()

        assert frozen.grad is None

    def test_a_missing_layer_fails(self):
        with pytest.raises(ValueError, match="zip"):
            perceptual_loss([randn(1, 2, 8, 8)] * 2, [randn(1, 2, 8, 8)], window=7)


def test_pixel_loss_is_the_mean_square():
    assert pixel_loss(torch.full((1, 3, 2, 2), 1.5), torch.ones(1, 3, 2, 2)).item() == 0.25


class TestPatchLoss:
    LOGITS = torch.tensor([[[0.0, 0.0], [0.0, np.log(3.0)]]])  # anomalous by 1/2 and 3/4

    def test_it_is_the_mean_cross_entropy(self):
        labels = torch.tensor([[False, True]])

        expected = (np.log(2) + np.log(4 / 3)) / 2
        found = patch_loss(self.LOGITS, labels, positive_weight=1.0)
        assert found.item() == pytest.approx(expected, rel=1e-6)

    def test_anomalous_patches_weigh_more_in_a_weighted_mean(self):
        labels = torch.tensor([[False, True]])

        expected = (np.log(2) + 4 * np.log(4 / 3)) / 5
        found = patch_loss(self.LOGITS, labels, positive_weight=4.0)
        assert found.item() == pytest.approx(expected, rel=1e-6)

    def test_patches_that_are_left_out_have_no_weight(self):
        labels, kept = torch.tensor([[False, True]]), torch.tensor([[False, True]])

        found = patch_loss(self.LOGITS, labels, positive_weight=4.0, kept=kept)
        assert found.item() == pytest.approx(np.log(4 / 3), rel=1e-6)
        assert patch_weight(labels, positive_weight=4.0, kept=kept) == 4
        assert patch_weight(labels, positive_weight=4.0, kept=~kept) == 1
        nothing = torch.zeros_like(kept)
        assert patch_loss(self.LOGITS, labels, positive_weight=4.0, kept=nothing).item() == 0
        assert patch_weight(labels, positive_weight=4.0, kept=nothing) == 0

    @given(weight=st.floats(0.01, 1000), seed=st.integers(0, 99))
    def test_no_weight_leads_out_of_the_range_of_the_patches(self, weight, seed):
        logits = randn(2, 5, 2, seed=seed).double()
        labels = randn(2, 5, seed=seed + 1) > 0
        single = F.cross_entropy(logits.flatten(0, 1), labels.flatten().long(), reduction="none")

        found = patch_loss(logits, labels, positive_weight=weight).item()
        assert single.min().item() - 1e-6 <= found <= single.max().item() + 1e-6


def mined(targets, outputs, share=0.0, factor=0.1):
    outputs = outputs.clone().requires_grad_()
    loss = dinomaly_loss(targets, outputs, mining_share=share, mining_factor=factor)
    loss.backward()
    return loss.detach(), outputs.grad


class TestDinomalyLoss:
    def test_aligned_is_zero_and_opposite_is_two(self):
        targets = randn(2, 3, 4, 5)

        assert mined(targets, 3 * targets)[0].item() == pytest.approx(0, abs=1e-6)
        assert mined(targets, -0.5 * targets)[0].item() == pytest.approx(2)

    def test_orthogonal_is_one(self):
        targets = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        outputs = torch.tensor([[[[0.0, 2.0], [0.0, 3.0]]]])

        assert mined(targets, outputs)[0].item() == 1

    def test_without_mining_it_is_torchs_own_cosine_and_gradient(self):
        targets, outputs = randn(2, 3, 4, 5).double(), randn(2, 3, 4, 5, seed=1).double()
        reference = outputs.clone().requires_grad_()
        expected = 1 - F.cosine_similarity(targets.flatten(2), reference.flatten(2), dim=2)
        expected.mean().backward()

        loss, gradient = mined(targets, outputs)

        assert torch.allclose(loss, expected.mean())
        assert torch.allclose(gradient, reference.grad)

    def test_easy_points_pass_on_a_tenth_of_their_gradient_hard_ones_all(self):
        # five points of one group, distances 0, .., falling in difficulty order 4, 2, 0, 3, 1
        angles = torch.tensor([0.6, 0.1, 0.9, 0.3, 1.5])
        outputs = torch.stack([angles.cos(), angles.sin()], dim=1).reshape(1, 1, 5, 2)
        targets = torch.tensor([1.0, 0.0]).expand(1, 1, 5, 2)
        _, whole = mined(targets, outputs)

        _, gradient = mined(targets, outputs, share=0.6, factor=0.1)

        factors = torch.tensor([0.1, 0.1, 1.0, 0.1, 1.0]).reshape(1, 1, 5, 1)
        assert torch.allclose(gradient, factors * whole)

    def test_points_that_are_zero_on_both_sides_are_left_out(self):
        # three points: aligned, orthogonal, opposite; without the last the cosine is 1 of 2
        targets = torch.tensor([1.0, 0.0]).repeat(1, 1, 3, 1)
        outputs = torch.tensor([[[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]]])
        kept = torch.tensor([1.0, 1.0, 0.0]).reshape(1, 1, 3, 1)

        loss, gradient = mined(targets * kept, outputs * kept)

        assert loss.item() == pytest.approx(0.5)
        assert gradient[0, 0, 2].tolist() == [0, 0]
        fewer = mined(targets[:, :, :2], outputs[:, :, :2])
        assert torch.equal(gradient[:, :, :2], fewer[1])

    def test_points_that_are_left_out_have_no_rank_in_mining(self):
        # half of the four that count are hard; six that are left out would make all four hard
        angles = torch.tensor([0.1, 0.2, 0.3, 0.4])
        four = torch.stack([angles.cos(), angles.sin()], dim=1).reshape(1, 1, 4, 2)
        outputs = torch.cat([four, torch.zeros(1, 1, 6, 2)], dim=2)
        targets = torch.cat([torch.tensor([1.0, 0.0]).expand(1, 1, 4, 2), 0 * outputs[:, :, 4:]], 2)

        _, gradient = mined(targets, outputs, share=0.5, factor=0.0)

        is_hard = gradient.abs().sum(dim=3) > 0
        assert is_hard[0, 0].tolist() == [False, False, True, True] + [False] * 6

    def test_each_group_has_its_own_threshold_over_the_whole_batch(self):
        targets = torch.tensor([1.0, 0.0]).expand(2, 2, 1, 2)
        angles = torch.tensor([[[0.1], [0.2]], [[1.1], [1.0]]])  # two groups of two samples
        outputs = torch.stack([angles.cos(), angles.sin()], dim=3)
        _, whole = mined(targets, outputs)

        _, gradient = mined(targets, outputs, share=0.5, factor=0.0)

        kept = (gradient.abs().sum(dim=3) > 0).squeeze(2)
        assert kept.tolist() == [[False, True], [True, False]]
        assert torch.allclose(gradient[0, 1], whole[0, 1])

    @given(share=st.floats(0, 0.99), factor=st.floats(0, 1), seed=st.integers(0, 20))
    def test_mining_never_changes_the_value(self, share, factor, seed):
        targets, outputs = randn(2, 2, 3, 4, seed=seed), randn(2, 2, 3, 4, seed=seed + 1)

        assert torch.equal(mined(targets, outputs, share, factor)[0], mined(targets, outputs)[0])

    def test_the_targets_get_no_gradient(self):
        targets = randn(1, 1, 3, 4, requires_grad=True)
        outputs = randn(1, 1, 3, 4, seed=1, requires_grad=True)

        dinomaly_loss(targets, outputs, mining_share=0.5, mining_factor=0.1).backward()

        assert targets.grad is None

    def test_bf16_maps_are_summed_in_fp32(self):
        targets, outputs = (
            randn(1, 2, 257, 384).bfloat16(),
            randn(1, 2, 257, 384, seed=1).bfloat16(),
        )

        loss, gradient = mined(targets, outputs)

        assert loss.dtype is torch.float32
        assert gradient.dtype is torch.bfloat16
        exact, _ = mined(targets.double(), outputs.double())
        assert loss.item() == pytest.approx(exact.item(), abs=1e-6)

    def test_an_all_zero_map_stays_finite(self):
        loss, gradient = mined(randn(1, 1, 3, 4), torch.zeros(1, 1, 3, 4), share=0.5)

        assert loss.item() == 1
        assert not gradient.any()


LOSSES = {
    "dinomaly": lambda t, o: dinomaly_loss(t, o, mining_share=0.5, mining_factor=0.1),
    "vitad": vitad_loss,
}
EXTREMES = [-65504.0, -1e-7, -1e-40, 0.0, 1e-40, 1e-7, 1.0, 65504.0]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@settings(max_examples=60)
@given(data=st.data())
def test_no_finite_map_gives_a_loss_or_a_gradient_that_is_no_number(name, dtype, data):
    extreme = st.one_of(st.sampled_from(EXTREMES), st.floats(-65504, 65504, width=16))
    shape = (2, 2, 3, 4)
    targets, outputs = (
        torch.tensor(
            data.draw(
                st.one_of(
                    hnp.arrays(np.float32, shape, elements=extreme),
                    extreme.map(lambda value: np.full(shape, value, np.float32)),
                )
            )
        ).to(dtype)
        for _ in range(2)
    )
    outputs.requires_grad_()

    loss = LOSSES[name](targets, outputs)
    loss.backward()

    assert -1e-3 <= loss <= 2 * len(targets) + 1e-3
    # a map of next to nothing turns at a touch: fp16 ends at 65,504, but nothing is undefined
    is_sound = ~outputs.grad.isnan() if dtype is torch.float16 else outputs.grad.isfinite()
    assert is_sound.all()


class TestVitadLoss:
    @pytest.mark.parametrize("scales", [1, 3])
    def test_each_scale_adds_nothing_if_aligned_and_two_if_opposite(self, scales):
        targets = randn(scales, 2, 16, 8)

        assert vitad_loss(targets, 3 * targets).item() == pytest.approx(0, abs=1e-6)
        assert vitad_loss(targets, -targets).item() == pytest.approx(2 * scales)

    def test_it_is_torchs_own_cosine_and_gradient(self):
        targets = randn(3, 2, 16, 8)
        ours, theirs = (randn(3, 2, 16, 8, seed=1).requires_grad_() for _ in range(2))
        loss = vitad_loss(targets, ours)
        loss.backward()
        cosine = F.cosine_similarity(targets.flatten(2), theirs.flatten(2), dim=-1)
        expected = (1 - cosine).mean(dim=1).sum()
        expected.backward()

        assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)

    def test_nothing_is_mined_and_the_targets_get_no_gradient(self):
        targets = randn(1, 1, 2, 4).requires_grad_()
        outputs = (targets * torch.tensor([1.0, -1.0]).reshape(2, 1)).detach().requires_grad_()
        vitad_loss(targets, outputs).backward()

        assert targets.grad is None
        assert outputs.grad.norm(dim=-1).min() > 0


def test_the_mined_share_grows_to_its_end_and_stays():
    shares = [mining_share_at(number, DinomalyConfig()) for number in (0, 500, 1000, 1749)]

    assert shares == pytest.approx([0, 0.45, 0.9, 0.9])
