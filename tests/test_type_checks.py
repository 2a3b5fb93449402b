"""The package's annotations are checked while it is tested: the `conftest.py` of the repository."""

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError

from bearing_search.evaluation import metrics
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.measurement import Measurement


def test_a_value_of_another_type_is_refused(tmp_path):
    with pytest.raises(BeartypeCallHintViolation, match="content"):
        write_atomically(tmp_path / "file", "text")


def test_a_dataclass_takes_only_what_its_fields_say():
    with pytest.raises(BeartypeCallHintViolation, match="step"):
        Measurement(step="first", values={})
