import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from bearing_search.training.finetuning.epoch_metrics import Epoch, PatchScores, patch_metrics


def test_patch_metrics_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.random(500) < 0.05
    scores = (rng.normal(size=500) + labels).round(1)  # ties included
    assert patch_metrics(scores, labels) == pytest.approx(
        {
            "patch_ap": average_precision_score(labels, scores),
            "patch_auroc": roc_auc_score(labels, scores),
        }
    )


def test_patches_of_one_kind_have_no_metrics():
    assert patch_metrics(np.arange(3.0), np.zeros(3, dtype=bool)) == {}


def patches(scores, labels):
    return PatchScores(scores=torch.tensor(scores), is_anomalous=torch.tensor(labels))


def test_an_epoch_is_the_mean_over_samples_and_the_ap_over_all_its_patches():
    epoch = Epoch()
    epoch.add({"patch_loss": 1.0}, patches([0.9, 0.1], [False, False]), samples=1)
    epoch.add({"patch_loss": 4.0}, patches([0.5, 0.2], [True, False]), samples=2)
    resumed = Epoch(**epoch.state())
    # one anomalous patch, second of four
    expected = {"patch_loss": 3.0, "patch_ap": 0.5, "patch_auroc": pytest.approx(2 / 3)}
    assert epoch.row() == resumed.row() == expected
