import pickle
import threading

import pytest

from bearing_search.sweep.attendant import Attendant
from bearing_search.sweep.conductor import Conductor
from bearing_search.sweep.execution import _Issuer, _Receiver


class Held(Conductor):
    """What a conductor holds (a database, a terminal) cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    "make",
    [Attendant, lambda held: _Issuer(held, {}, {}), lambda held: _Receiver(held, {}, {}, 3)],
    ids=["callback", "searcher", "scheduler"],
)
def test_what_tune_pickles_again_and_again_holds_nothing_of_the_sweep(make):
    assert len(pickle.dumps(make(Held()))) < 500
