import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from bearing_search.config import SubspaceConfig
from bearing_search.models.detectors.subspace import Subspace, principal_basis


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fitted(patches, share=0.99):
    model = Subspace(SubspaceConfig(explained_variance=share))
    return model, model.fit(patches)


def test_a_feature_is_the_mean_of_the_blocks():
    maps = [torch.full((1, 2, 3, 3), value) for value in (1.0, 2.0, 6.0)]
    assert (Subspace(SubspaceConfig()).embed(maps) == 3).all()


def test_two_directions_by_hand():
    # variance 8 along x, 2 along y, none along z: x alone holds 80 %
    patches = torch.tensor([[[2.0, 0, 5], [-2.0, 0, 5], [0, 1.0, 5], [0, -1.0, 5]]])
    other = torch.tensor([[[7.0, 3.0, 9.0]]])

    for share, dims, distance in ((0.8, 1, 9 + 16), (0.81, 2, 16), (1.0, 2, 16)):
        model, measured = fitted(patches, share)
        assert measured["subspace_dims"] == dims
        assert model.measure(other)[0].item() == pytest.approx(distance, rel=1e-5)
    assert measured["normal_distance"] == pytest.approx(0, abs=1e-6)


def test_patches_without_variance_have_their_distance_from_the_mean():
    model, measured = fitted(torch.ones(2, 3, 4))
    assert measured == {"subspace_dims": 0, "normal_distance": 0}
    assert model.measure(torch.full((1, 1, 4), 3.0))[0].item() == 16


@given(st.integers(1, 6), st.integers(0, 99), st.sampled_from([0.5, 0.9, 0.99]))
def test_it_is_the_squared_residual_of_scikit_learns_pca(channels, seed, share):
    scales = torch.logspace(1, -1, channels)
    patches, others = randn(5, 6, channels, seed=seed) * scales, randn(2, 3, channels, seed=1)
    tokens = patches.flatten(0, 1).double().numpy()
    pca = PCA().fit(tokens)
    dims = int((pca.explained_variance_ratio_.cumsum() < share).sum()) + 1
    pca = PCA(dims).fit(tokens)

    model, measured = fitted(patches, share)

    assert measured["subspace_dims"] == dims
    plain = others.flatten(0, 1).double().numpy()
    residual = plain - pca.inverse_transform(pca.transform(plain))
    found = model.measure(others)[0].flatten().numpy()
    np.testing.assert_allclose(found, (residual**2).sum(1), rtol=1e-4, atol=1e-5)


def test_a_basis_is_orthonormal_and_its_largest_direction_first():
    basis = principal_basis(randn(50, 3) * torch.tensor([1.0, 3.0, 0.1]), 0.99)
    np.testing.assert_allclose((basis.T @ basis).numpy(), np.eye(2), atol=1e-6)
    assert basis[:, 0].abs().argmax() == 1


def test_what_is_loaded_measures_the_same():
    model, _ = fitted(randn(3, 4, 5), 0.9)
    again = Subspace(SubspaceConfig())
    again.load(model.state())
    others = randn(2, 4, 5, seed=1)
    assert torch.equal(again.measure(others)[0], model.measure(others)[0])
