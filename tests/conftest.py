import importlib
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from bearing_search.config import (
    DETECTORS,
    PostprocessConfig,
    ProtocolConfig,
    TrialConfig,
    parse,
    to_plain,
)
from bearing_search.evaluation.anomaly_maps import PostprocessSpec
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.evaluation.predictions import Predictions
from bearing_search.filesystem.atomic import write_json
from bearing_search.measurement import COST_S
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord

# no test is timed: on a busy machine an example may take seconds
# the same examples each time: a change fails by its own fault only; "random" looks for new ones
for profile, num_examples in (("quick", 20), ("thorough", 100), ("random", 1000)):
    settings.register_profile(
        profile,
        max_examples=num_examples,
        derandomize=profile != "random",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("quick")

UNTOUCHED = PostprocessSpec(
    detector="dinomaly",
    fusion="channels",
    input_px=16,
    map_px=16,
    postprocess=PostprocessConfig(image_score="max", smoothing_sigma_px=0.0),
)
"""Maps are the distances themselves."""

TINY = {
    "split": {"folds": 2},
    "encoder": {"name": "test_vit", "weights": "random", "input_px": 64},
    "finetune": {
        "epochs": 3,
        "reconstruction_only_epochs": 1,
        "alternation_period": 1,
        "batch_size": 4,
        "ssim_layers": [5, 6],
    },
    "decoder": {"iterations": 6, "batch_size": 4, "lr_warmup_iters": 2},
    "dinomaly": {"mining_ramp_iters": 4, "target_blocks": [3, 4], "decoder_blocks": 2},
    "vitad": {"teacher_blocks": [2, 3], "neck_block": 4, "student_blocks": 3},
    "patchcore": {"blocks": [2, 3]},
    "padim": {"blocks": [2, 3], "dims": 20},
    "subspace": {"blocks": [2, 3]},
    "protocol": {"map_px": 64},
}


@pytest.fixture(scope="session", autouse=True)
def _no_test_cuts_the_power():
    """Nothing waits until a file is on the disk; a closed descriptor is an error as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def tiny_raw() -> dict:
    return deepcopy(TINY)


@pytest.fixture
def tiny_config(tiny_raw) -> TrialConfig:
    return parse(TrialConfig, tiny_raw)


@pytest.fixture
def toy(monkeypatch):
    """The module of a detector from outside the package, which is in the table meanwhile."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "plugins")
    module = importlib.import_module("toy_detector")
    DETECTORS.pop("toy", None)  # the first import has added it
    monkeypatch.setitem(DETECTORS, "toy", module.SPEC)
    return module


@pytest.fixture
def make_set(tmp_path):
    """Writes plates with a bright notch where they are anomalous; returns the data set's root."""

    def make(
        *, parts=("plate",), levels=3, train_defects=4, normals=6, tests=3, name="data"
    ) -> Path:
        root = tmp_path / name
        rng = np.random.default_rng(0)
        for part in parts:
            for split, kind, count in (
                ("train", "good", normals),
                ("train", "dent", train_defects),
                ("test", "good", tests),
                ("test", "dent", tests),
            ):
                for number in range(count):
                    write_sample(root / part, split, kind, f"s{number}", levels, rng)
        return root

    return make


def write_sample(part: Path, split: str, kind: str, name: str, levels: int, rng) -> None:
    plate = rng.normal(90, 6, (80, 80))
    mask = np.zeros((80, 80), dtype=np.uint8)
    if kind != "good":
        y, x = rng.integers(10, 60, 2)
        mask[y : y + 8, x : x + 8] = 255
        plate[mask > 0] += 80
        folder = part / "ground_truth" / kind
        folder.mkdir(parents=True, exist_ok=True)
        # one folder of masks serves both splits, as in MVTec AD, so names must differ
        cv2.imwrite(str(folder / f"{split}_{name}_mask.png"), mask)
    folder = part / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    for level in range(levels):
        ending = f"_b{level}" if levels > 1 else ""
        image = np.clip(plate * (1 - 0.3 * level), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{split}_{name}{ending}.png"), image)


@pytest.fixture
def predictions():
    def make(signal: float, *, seed=0, num=24, names="s") -> Predictions:
        """Noise of deviation 1, raised by `signal` where every second sample has its 4x4 defect."""
        rng = np.random.default_rng(seed)
        masks = np.zeros((num, 16, 16), dtype=bool)
        masks[::2, 4:8, 4:8] = True
        maps = (rng.normal(size=masks.shape) + signal * masks).astype(np.float32)
        return Predictions(
            distances=maps[:, None, None],
            own_scores=None,
            rendering=UNTOUCHED,
            maps=maps,
            image_scores=maps.reshape(num, -1).max(axis=1),
            masks=masks,
            is_anomalous=np.asarray(masks.any(axis=(1, 2))),
            groups=tuple(f"g{i}" for i in range(num)),
            names=tuple(f"{names}{i}" for i in range(num)),
            lost_regions=np.zeros(num, dtype=np.int64),
            unreachable_regions=0,
            num_no_roi=0,
        )

    return make


SWEEP_SPACE = """# Which period?
base: {}
vary: {finetune.alternation_period: {int: [1, 10]}}
"""


@pytest.fixture
def make_sweep(tmp_path, predictions):
    """A finished sweep whose trials have the given signals in their maps."""

    def make(name, signals, **changes):
        facts: dict[str, Any] = {
            "space_text": SWEEP_SPACE,
            "data": str(tmp_path),
            "data_digest": "d1",
            "versions": {},
            "git_commit": "",
            "target": max(len(signals), 1),
            "protocol": to_plain(ProtocolConfig()),
        }
        folder = create_sweep(tmp_path / "results", SweepRecord(name=name, **facts | changes))
        from bearing_search.sweep.planning.ledger import Ledger  # loads Optuna

        ledger = Ledger(folder)
        for seed, signal in enumerate(signals):
            scheduled = ledger.next()
            trial = folder.trial_folder(scheduled.number)
            (trial / "LC/fold0").mkdir(parents=True)
            write_json(trial / "config.json", to_plain(scheduled.config))
            unit = predictions(signal, seed=seed)
            save_predictions(unit, trial / "LC/fold0/scored.npz")
            metrics = {f"val/{k}": v for k, v in unit.metrics(ProtocolConfig()).items()}
            measured = metrics | {COST_S: 100.0 - seed}
            ledger.complete(scheduled.number, metrics["val/pixel_aupro"], measured)
        ledger.close()
        return folder

    return make
