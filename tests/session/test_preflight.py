import pytest
from rich.console import Console

from bearing_search.config import TrialConfig, parse
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import DataError
from bearing_search.session.preflight import check_images


def choosing(*levels) -> TrialConfig:
    return parse(TrialConfig, {"preprocess": {"levels": list(levels)}})


def test_levels_that_cannot_become_channels_are_found_before_anything_starts(make_set):
    samples = load_data_set(make_set(levels=4, normals=1, train_defects=1, tests=0)).all_samples
    quiet = Console(quiet=True)
    check_images(samples, quiet, [choosing(0, 1, 3), choosing("max")])
    with pytest.raises(DataError, match=r"plate: has 4 .* preprocess.levels.*\(2 such samples\)"):
        check_images(samples, quiet, [choosing(0, 1, 3), choosing()])
    with pytest.raises(DataError, match=r"preprocess\.levels names 4"):
        check_images(samples, quiet, [choosing(4)])
