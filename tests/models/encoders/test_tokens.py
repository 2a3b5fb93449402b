import numpy as np
import pytest
import torch

from bearing_search.models.encoders.tokens import (
    cosine_distances,
    on_grid,
    patch_labels,
    patch_tokens,
    tokens_to_map,
)
from bearing_search.models.finetuning.heads import ReconstructionHead


def test_prefix_tokens_are_dropped_from_the_front(tiny_encoder):
    tokens = torch.arange(19.0).reshape(1, 19, 1)

    assert patch_tokens(tokens, tiny_encoder).flatten().tolist() == list(range(3, 19))


def test_a_map_is_filled_row_by_row(tiny_encoder):
    tokens = torch.arange(19.0).reshape(1, 19, 1)

    assert tokens_to_map(tokens, tiny_encoder)[0, 0, :2].tolist() == [[3, 4, 5, 6], [7, 8, 9, 10]]


def test_a_token_lies_on_the_map_where_its_patch_lies_in_the_picture(tiny_encoder, images):
    spotted = images.clone()
    spotted[:, :, 8:16, 24:32] += 9  # second row of patches, last column
    vit = tiny_encoder.vit
    changed = vit.patch_embed(spotted) - vit.patch_embed(images)
    with_prefix = torch.nn.functional.pad(changed, (0, 0, 3, 0))

    moved = tokens_to_map(with_prefix, tiny_encoder).abs().sum(dim=(0, 1)) > 0
    assert moved.nonzero().tolist() == [[1, 3]]


def test_one_anomalous_pixel_marks_its_patch_alone():
    masks = torch.zeros(2, 12, 8, dtype=torch.bool)
    masks[1, 4, 3] = True  # second row of 4 x 4 patches, first column

    assert patch_labels(masks, 4).tolist() == [
        [False] * 6,
        [False, False, True, False, False, False],
    ]


def test_coverage_asks_for_a_share_of_the_patch():
    masks = torch.zeros(1, 8, 4, dtype=torch.bool)
    masks[0, :2, :2] = True  # 4 of the 16 pixels of the first patch
    masks[0, 4:, :3] = True  # 12 of the second
    by_share = {
        share: patch_labels(masks, 4, coverage=share).tolist()[0]
        for share in (0, 0.25, 0.26, 0.75, 1)
    }
    assert by_share == {
        0: [True, True],
        0.25: [True, True],
        0.26: [False, True],
        0.75: [False, True],
        1: [False, False],
    }


def test_patch_labels_and_tokens_are_in_the_same_order():
    masks = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.97
    # an untrained head whose every patch shows its own token
    head = ReconstructionHead(1, 8)
    torch.nn.init.ones_(head.project.weight)

    painted = head(patch_labels(masks, 8).float().unsqueeze(2))[:, 0] > 0
    assert painted[masks].all()
    assert painted.reshape(2, 4, 8, 4, 8).float().mean(dim=(2, 4)).unique().tolist() == [0, 1]


def test_tokens_that_form_no_square_are_refused():
    with pytest.raises(AssertionError, match="7 tokens"):
        ReconstructionHead(4, 2)(torch.zeros(1, 7, 4))


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


GRID = (4, 4)


def patch_distances(targets, outputs, grid):
    return on_grid(cosine_distances(targets, outputs), grid)


class TestPatchDistances:
    def test_aligned_is_zero_and_opposite_is_two(self):
        targets = randn(2, 3, 16, 8)

        assert patch_distances(targets, 2 * targets, GRID).abs().max() < 1e-6
        assert torch.allclose(patch_distances(targets, -targets, GRID), torch.tensor(2.0))

    def test_a_token_of_nothing_is_halfway_off(self):
        targets = randn(1, 1, 16, 8)

        assert (patch_distances(targets, torch.zeros_like(targets), GRID) == 1).all()

    def test_a_strange_patch_lies_in_its_sample_group_row_and_column(self):
        targets = randn(2, 3, 16, 8)
        outputs = targets.clone()
        outputs[1, 2, 4 * 1 + 3] *= -1  # second group, third sample, second row, last column

        found = patch_distances(targets, outputs, GRID)
        assert found.shape == (3, 2, 4, 4)
        assert np.unravel_index(found.argmax().item(), found.shape) == (2, 1, 1, 3)

    def test_bf16_tokens_are_compared_in_fp32(self):
        targets, outputs = randn(2, 1, 16, 8).bfloat16(), randn(2, 1, 16, 8, seed=1).bfloat16()

        found = patch_distances(targets, outputs, GRID)
        assert found.dtype is torch.float32
        assert torch.allclose(
            found, patch_distances(targets.float(), outputs.float(), GRID), atol=1e-6
        )
