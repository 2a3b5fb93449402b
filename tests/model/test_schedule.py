from hypothesis import given
from hypothesis import strategies as st

from bearing_search.model.schedule import Task, task_at


def tasks(epochs, **settings):
    return [task_at(epoch, **settings) for epoch in range(epochs)]


def test_the_papers_schedule_turns_to_patches_at_epoch_20_and_back_at_25():
    found = tasks(35, reconstruction_only_epochs=20, alternation_period=5)

    expected = [Task.RECONSTRUCTION] * 20 + [Task.PATCH_CLASSIFICATION] * 5
    assert found == expected + [Task.RECONSTRUCTION] * 5 + [Task.PATCH_CLASSIFICATION] * 5


def test_without_a_reconstruction_phase_patch_classification_opens():
    assert tasks(3, reconstruction_only_epochs=0, alternation_period=1) == [
        Task.PATCH_CLASSIFICATION,
        Task.RECONSTRUCTION,
        Task.PATCH_CLASSIFICATION,
    ]


@given(
    only=st.integers(0, 30),
    period=st.integers(1, 12),
    turns=st.integers(1, 6),
)
def test_after_the_first_phase_two_turns_share_their_epochs_evenly(only, period, turns):
    end = only + 2 * turns * period
    found = tasks(end, reconstruction_only_epochs=only, alternation_period=period)

    assert set(found[:only]) <= {Task.RECONSTRUCTION}
    assert found[only:].count(Task.PATCH_CLASSIFICATION) == turns * period
