"""Annotations of the package are checked while it is tested: see `conftest.py` beside README.md."""

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError

from bearing_search.evaluation.anomaly_maps import image_scores
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.measurement import Measurement


def test_a_value_of_another_type_is_refused(tmp_path):
    with pytest.raises(BeartypeCallHintViolation, match="content"):
        write_atomically(tmp_path / "file", "text")  # type: ignore[arg-type]


def test_a_field_takes_nothing_of_another_type():
    with pytest.raises(BeartypeCallHintViolation, match="step"):
        Measurement(step="first", values={})  # type: ignore[arg-type]


def test_an_array_of_another_shape_is_refused(predictions):
    made = predictions(signal=0.0)
    with pytest.raises(TypeCheckError, match="maps"):
        image_scores(made.maps[0], made.rendering)
    with pytest.raises(TypeCheckError, match="maps"):
        image_scores(np.zeros((2, 4, 5), np.float32), made.rendering)  # they are square
