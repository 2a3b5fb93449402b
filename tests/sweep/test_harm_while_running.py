"""Files that vanish or rot under a running sweep of real trials: survived, or refused clearly."""

import shutil
from collections.abc import Callable

import pytest
import yaml

from bearing_search.errors import SweepError
from bearing_search.trial import run_trial


@pytest.fixture
def data(make_set):
    return make_set(normals=4, tests=1)


@pytest.fixture
def harmed(new_sweep, simulate, data, tiny_raw, tmp_path):
    """Runs two trials that share an encoder, harms the sweep once; returns it and how they ended.

    The harm is done at a trial's first message (`at`); the cache of earlier sweeps is deleted.
    """
    tiny_raw["finetune"] |= {"epochs": 1, "reconstruction_only_epochs": 0}
    tiny_raw["decoder"] |= {"iterations": 2}
    space = {"base": tiny_raw, "vary": {"detector": {"choice": ["dinomaly", "vitad"]}}}
    text = yaml.safe_dump(space)

    def run(harm: Callable = lambda _: None, *, name="one", at=0):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        folder = new_sweep(name=name, space_text=text, data=str(data), target=2, sampler="grid")
        done: list[int] = []

        def on_message(number, message, stop):
            if number == at and not done:
                done.append(number)
                harm(folder)

        outcome = simulate(folder, run_trial, on_message=on_message)
        assert done
        return folder, {trial.number: (trial.state, trial.value) for trial in outcome.trials}

    return run


def flip_a_bit_of_every_encoder(folder) -> None:
    files = list(folder.cache.glob("stages/encoder/*/done/*.pt"))
    assert files
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "at"),
    [
        (lambda folder: shutil.rmtree(folder.cache / "stages"), 0),
        (flip_a_bit_of_every_encoder, 1),
        (lambda folder: shutil.rmtree(folder.trial_folder(0)), 0),
    ],
    ids=["cache deleted", "bits flipped", "trial folder deleted"],
)
def test_what_is_lost_is_computed_again_and_the_numbers_are_the_same(harmed, harm, at):
    _, undisturbed = harmed(name="undisturbed")
    folder, ends = harmed(harm, at=at)
    assert ends == undisturbed
    assert {state for state, _ in ends.values()} == {"complete"}
    for number in ends:
        files = {file.name for file in folder.trial_folder(number).glob("plate/fold*/*")}
        assert {"unit.json", "scored.npz"} <= files
        assert len(list(folder.trial_folder(number).glob("plate/fold*/unit.json"))) == 2


@pytest.mark.slow
def test_trials_whose_data_are_gone_fail_and_name_them(harmed, data, tmp_path):
    """The trial that runs has read its pictures; those after it find none."""
    with pytest.raises(SweepError, match="data: not a folder") as told:
        harmed(lambda _: data.rename(tmp_path / "away"), at=0)
    assert "\n" not in str(told.value)
