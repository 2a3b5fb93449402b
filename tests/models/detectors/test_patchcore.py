import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from bearing_search.config import PatchCoreConfig
from bearing_search.models.detectors.patchcore import PatchCore, coreset, nearest_of, project


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fitted(patches, **settings):
    model = PatchCore(PatchCoreConfig(coreset_share=1.0, **settings), seed=0, averaged_side=1)
    model.fit(patches)
    return model


class TestCoreset:
    def test_the_next_centre_is_always_the_furthest_patch(self):
        line = torch.tensor([[0.0], [1.0], [2.0], [6.0], [10.0]])

        chosen, radius = coreset(line, 4, first=0)

        # 10 is furthest from 0; 6 is 4 from 10; 2 is 2 from 0
        assert chosen.tolist() == [0, 4, 3, 2]
        assert radius == pytest.approx(1.0)

    @given(count=st.integers(1, 20), first=st.integers(0, 39), seed=st.integers(0, 99))
    def test_it_is_the_greedy_choice_written_out(self, count, first, seed):
        patches = randn(40, 5, seed=seed)
        gaps = torch.cdist(patches.double(), patches.double())
        expected = [first]
        for _ in range(count - 1):
            expected.append(int(gaps[expected].amin(dim=0).argmax()))

        chosen, radius = coreset(patches, count, first=first)

        assert chosen.tolist() == expected
        assert radius == pytest.approx(gaps[expected].amin(dim=0).max().item(), rel=1e-3)

    def test_copies_are_chosen_once(self):
        distinct = randn(5, 3)

        chosen, radius = coreset(distinct.repeat(6, 1), 20, first=0)

        assert sorted(i % 5 for i in chosen.tolist()) == [0, 1, 2, 3, 4]
        assert radius < 0.01

    def test_of_equal_patches_one_is_left(self):
        chosen, radius = coreset(torch.full((7, 3), 1000.1), 7, first=3)

        assert chosen.tolist() == [3]
        assert radius == pytest.approx(0, abs=1e-3)


class TestProjection:
    def test_distances_stay_about_as_they_were(self):
        patches = randn(50, 1000)
        low = project(patches, 128, torch.Generator().manual_seed(1))
        ratio = torch.pdist(low) / torch.pdist(patches)

        assert low.shape == (50, 128)
        assert ratio.mean().item() == pytest.approx(1, abs=0.03)
        assert 0.7 < ratio.min() < ratio.max() < 1.3

    def test_few_channels_stay_as_they_are(self):
        patches = randn(4, 128)

        assert project(patches, 128, torch.Generator()) is patches


@given(queries=st.integers(1, 30), size=st.integers(1, 30), seed=st.integers(0, 99))
def test_the_nearest_patch_is_scikit_learns(queries, size, seed):
    flat, bank = randn(queries, 6, seed=seed), randn(size, 6, seed=seed + 100)
    found = NearestNeighbors(n_neighbors=1).fit(bank.numpy()).kneighbors(flat.numpy())[1]

    assert nearest_of(flat, bank).tolist() == found[:, 0].tolist()


def test_patches_are_compared_a_part_at_a_time(monkeypatch):
    flat, bank = randn(50, 6), randn(20, 6, seed=1)
    whole = nearest_of(flat, bank)
    monkeypatch.setattr("bearing_search.models.detectors.patchcore._CHUNK", 60)

    assert torch.equal(nearest_of(flat, bank), whole)


class TestEmbedding:
    def test_a_patch_is_the_mean_of_its_neighbourhood(self):
        spot = torch.zeros(1, 1, 4, 4)
        spot[0, 0, 1, 1] = 36

        found = PatchCore(PatchCoreConfig(), seed=0, averaged_side=3).embed([spot])

        # of 4 patches in the corner, of 6 at an edge, of 9 within
        assert found[0, 0].tolist() == [[9, 6, 6, 0], [6, 4, 4, 0], [6, 4, 4, 0], [0, 0, 0, 0]]

    def test_coarser_layers_are_enlarged_to_the_first_ones_grid(self):
        fine, coarse = torch.zeros(2, 3, 4, 4), torch.tensor([[0.0, 4.0], [0.0, 4.0]])
        model = PatchCore(PatchCoreConfig(), seed=0, averaged_side=1)

        found = model.embed([fine, coarse.expand(2, 1, 2, 2)])

        assert found.shape == (2, 4, 4, 4)
        assert found[0, 3, 0].tolist() == [0, 1, 3, 4]


class TestPatchCore:
    def test_a_training_patch_has_no_distance_and_its_sample_no_score(self):
        patches = 100 + randn(3, 8, 16)

        distances, scores = fitted(patches).measure(patches)

        assert not distances.any()
        assert not scores.any()

    def test_distances_are_scikit_learns(self):
        patches, others = randn(3, 20, 16), randn(2, 20, 16, seed=1)
        bank = NearestNeighbors(n_neighbors=1).fit(patches.reshape(-1, 16).numpy())
        expected = bank.kneighbors(others.reshape(-1, 16).numpy())[0].reshape(2, 20)

        assert fitted(patches).measure(others)[0].numpy() == pytest.approx(expected, abs=1e-5)

    def test_the_image_score_by_hand(self):
        # bank 0, 1, 5; the strangest patch lies at 8: nearest 5, whose neighbours are 5 and 1
        bank = torch.tensor([[[0.0], [1.0], [5.0]]])
        model = fitted(bank, num_neighbours=2)

        distances, scores = model.measure(torch.tensor([[[0.5], [8.0]]]))

        weight = 1 - math.exp(3) / (math.exp(3) + math.exp(7))
        assert distances.tolist() == [[0.5, 3.0]]
        assert scores.item() == pytest.approx(3 * weight)

    @pytest.mark.parametrize("size", [2, 5, 8])
    def test_fewer_patches_than_neighbours_weigh_by_those_there_are(self, size):
        patches = randn(1, size, 4)
        few = fitted(patches, num_neighbours=9).measure(5 * patches)[1]
        all_of_them = fitted(patches, num_neighbours=size).measure(5 * patches)[1]

        assert torch.equal(few, all_of_them)
        assert few > 0

    def test_identical_normals_leave_one_patch_whose_distance_is_the_score(self):
        model = PatchCore(PatchCoreConfig(), seed=0, averaged_side=1)
        measured = model.fit(torch.ones(4, 25, 3))
        distances, scores = model.measure(torch.full((1, 25, 3), 2.0))

        assert measured == {"bank_patches": 1.0, "coreset_radius": 0.0}
        assert distances.unique().tolist() == pytest.approx([3**0.5])
        assert scores.item() == pytest.approx(3**0.5)

    def test_the_bank_is_a_share_of_the_patches_and_follows_the_seed(self):
        patches = randn(4, 50, 200)
        models = [PatchCore(PatchCoreConfig(), seed=seed, averaged_side=1) for seed in (1, 1, 2)]
        sizes = [model.fit(patches)["bank_patches"] for model in models]
        banks = [model.state()["bank"] for model in models]

        assert sizes == [20.0, 20.0, 20.0]
        assert torch.equal(banks[0], banks[1])
        assert not torch.equal(banks[0], banks[2])
        known = {tuple(row) for row in patches.reshape(-1, 200).tolist()}
        assert {tuple(row) for row in banks[0].tolist()} <= known

    def test_its_state_measures_the_same(self):
        patches = randn(2, 9, 4)
        model, other = fitted(patches), PatchCore(PatchCoreConfig(), seed=5, averaged_side=1)
        other.load(model.state())
        ours, theirs = (m.measure(patches + 1) for m in (model, other))

        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_patches_are_averaged_where_the_encoder_is_convolutional_unless_a_side_is_given():
    own, five = PatchCoreConfig(), PatchCoreConfig(neighbourhood=5)

    assert [own.averaged_side(is_cnn=cnn) for cnn in (True, False)] == [3, 1]
    assert [five.averaged_side(is_cnn=cnn) for cnn in (True, False)] == [5, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ()}, "layers is"),
        ({"layers": (3, 2)}, "ascending"),
        ({"layers": (2, 5)}, r"each must be in \[1, 4\]"),
        ({"blocks": (0,)}, "each must be at least 1"),
        ({"neighbourhood": 2}, "must be odd"),
        ({"coreset_share": 0.0}, "coreset_share is 0"),
        ({"num_neighbours": 0}, "num_neighbours is 0"),
        ({"projection_dim": 0}, "projection_dim is 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PatchCoreConfig(**settings)
