import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from bearing_search.config import PadimConfig
from bearing_search.models.detectors.padim import Padim, cholesky_factor


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fitted(patches, **settings):
    model = Padim(PadimConfig(**settings), seed=0)
    model.fit(patches)
    return model


class TestEmbedding:
    def test_channels_are_drawn_once_for_all_positions(self):
        maps = [
            torch.arange(6.0).reshape(1, 6, 1, 1).expand(2, 6, 4, 4),
            torch.full((2, 3, 2, 2), 9.0),
        ]
        draws = [Padim(PadimConfig(dims=5), seed=seed).embed(maps) for seed in (0, 0, 1)]

        assert draws[0].shape == (2, 5, 4, 4)
        assert (draws[0] == draws[0][:1, :, :1, :1]).all()
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])

    def test_with_few_channels_all_are_taken_in_order(self):
        maps = [torch.arange(3.0).reshape(1, 3, 1, 1)]

        assert Padim(PadimConfig(), seed=0).embed(maps).flatten().tolist() == [0, 1, 2]

    def test_a_coarse_value_is_repeated(self):
        coarse = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]

        found = Padim(PadimConfig(), seed=0).embed([torch.zeros(1, 1, 4, 4), coarse])
        assert found[0, 1].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


class TestPadim:
    def test_one_channel_by_hand(self):
        # mean 2, variance (1 + 1) / (2 - 1) = 2, plus .25
        model = fitted(torch.tensor([[[1.0]], [[3.0]]]), epsilon=0.25)

        distances, scores = model.measure(torch.tensor([[[5.0]], [[2.0]]]))

        assert distances.flatten().tolist() == pytest.approx([3 / 1.5, 0])
        assert scores is None

    @given(samples=st.integers(2, 9), channels=st.integers(1, 6), seed=st.integers(0, 99))
    def test_it_is_scipys_distance_at_every_position(self, samples, channels, seed):
        patches = randn(samples, 3, channels, seed=seed)
        others = randn(2, 3, channels, seed=seed + 100)

        found, _ = fitted(patches).measure(others)

        for position in range(3):
            here = patches[:, position].double().numpy()
            covariance = np.atleast_2d(np.cov(here.T)) + 0.01 * np.eye(channels)
            inverse = np.linalg.inv(covariance)
            expected = [mahalanobis(o, here.mean(axis=0), inverse) for o in others[:, position]]
            assert found[:, position].tolist() == pytest.approx(expected, rel=1e-3)

    @given(gain=st.floats(0.1, 50), seed=st.integers(0, 99))
    def test_the_measure_of_all_channels_and_epsilon_together_does_not_matter(self, gain, seed):
        patches, others = randn(6, 2, 3, seed=seed), randn(1, 2, 3, seed=seed + 100)

        usual, _ = fitted(patches).measure(others)
        scaled, _ = fitted(gain * patches, epsilon=0.01 * gain**2).measure(gain * others)
        assert torch.allclose(usual, scaled, rtol=1e-3)

    def test_one_normal_sample_leaves_the_plain_distance(self):
        model = fitted(torch.zeros(1, 2, 3))

        distances, _ = model.measure(torch.full((1, 2, 3), 2.0))
        assert distances.flatten().tolist() == pytest.approx([12**0.5 / 0.1] * 2)

    def test_identical_normals_are_as_one(self):
        normal, other = randn(1, 4, 3), randn(1, 4, 3, seed=1)

        one, _ = fitted(normal).measure(other)
        many, _ = fitted(normal.expand(7, 4, 3)).measure(other)
        assert torch.allclose(one, many, rtol=1e-4)

    def test_a_channel_of_a_million_leaves_the_others_their_weight(self):
        # the encoder's outlier channels: in fp32 such a covariance would not be positive
        patches = randn(5, 1, 3) * torch.tensor([1e6, 1.0, 1.0])
        covariance = np.cov(patches[:, 0].double().numpy().T) + 0.01 * np.eye(3)
        other = patches.mean(dim=0, keepdim=True) + torch.tensor([0.0, 3.0, 0.0])

        found, _ = fitted(patches).measure(other)

        offset = (other - patches.mean(dim=0))[0, 0].double().numpy()
        assert found.item() == pytest.approx(
            mahalanobis(offset, np.zeros(3), np.linalg.inv(covariance)), rel=1e-2
        )

    def test_its_state_measures_the_same(self):
        patches = randn(4, 2, 3)
        model, other = fitted(patches), Padim(PadimConfig(), seed=5)
        other.load(model.state())

        assert torch.equal(model.measure(patches)[0], other.measure(patches)[0])

    def test_what_is_shown_is_the_mean_distance_of_the_normals(self):
        patches = randn(4, 2, 3)
        model = Padim(PadimConfig(), seed=0)

        shown = model.fit(patches)["normal_distance"]
        assert shown == pytest.approx(model.measure(patches)[0].mean().item())


def test_positions_are_decomposed_a_part_at_a_time(monkeypatch):
    patches, others = randn(4, 7, 3), randn(2, 7, 3, seed=1)
    whole, _ = fitted(patches).measure(others)
    monkeypatch.setattr("bearing_search.models.detectors.padim._CHUNK_FLOATS", 20)

    assert torch.allclose(fitted(patches).measure(others)[0], whole)


def test_the_factor_is_the_root_of_the_regularised_covariance():
    patches = randn(8, 2, 4)
    factor = cholesky_factor(patches, 0.5)

    expected = torch.stack([torch.cov(patches[:, p].T) for p in range(2)]) + 0.5 * torch.eye(4)
    assert torch.allclose(factor @ factor.transpose(1, 2), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dims": 0}, "dims is 0"),
        ({"epsilon": 0.0}, "epsilon is 0"),
        ({"layers": (1, 1)}, "ascending"),
        ({"blocks": ()}, "at least one"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PadimConfig(**settings)
