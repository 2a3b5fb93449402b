"""What `evaluate` refuses before it trains; its run to the end is in tests/test_end_to_end.py."""

import pytest

from bearing_search.api.evaluation import EvaluationRequest, evaluate
from bearing_search.cli import main
from bearing_search.data.dataset import load_data_set
from bearing_search.session.inputs import train_digest


class TrainingBeginsError(Exception):
    """Raised where `evaluate` would begin to train."""


@pytest.fixture
def trained_on(make_set, make_sweep, monkeypatch):
    """A finished sweep on a data set, and the sweep that `evaluate` would train."""
    trained = []

    def measure(folder, *rest):
        trained.append(folder)
        raise TrainingBeginsError

    monkeypatch.setattr("bearing_search.api.evaluation.measure", measure)
    root = make_set()
    digest = train_digest(load_data_set(root))
    return root, make_sweep("first", [1.0], data=str(root), data_digest=digest), trained


def test_a_file_added_to_train_is_refused_as_resume_does(trained_on, capsys):
    root, folder, trained = trained_on
    (root / "plate/train/good/more_b0.png").write_bytes(
        (root / "plate/train/good/train_s0_b0.png").read_bytes()
    )
    for level in (1, 2):
        file = root / f"plate/train/good/train_s0_b{level}.png"
        (file.parent / f"more_b{level}.png").write_bytes(file.read_bytes())
    command = ["evaluate", "first", "--device", "cpu", "--results", str(folder.root.parent)]
    assert main(command) == 6
    assert "the training data has changed" in capsys.readouterr().err
    assert trained == []
    with pytest.raises(TrainingBeginsError):
        evaluate(folder, EvaluationRequest(device="cpu", refit_changed_data=True))
    (refitted,) = trained
    assert refitted.record.notes[0].startswith("DATA CHANGED on ")


def test_a_file_added_to_test_is_no_change_of_train(trained_on):
    root, folder, trained = trained_on
    for level in range(3):
        file = root / f"plate/test/good/test_s0_b{level}.png"
        (file.parent / f"more_b{level}.png").write_bytes(file.read_bytes())
    with pytest.raises(TrainingBeginsError):
        evaluate(folder, EvaluationRequest(device="cpu"))
    assert trained[0].record.notes == ()
