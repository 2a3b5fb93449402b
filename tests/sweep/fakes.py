"""A trial of a few milliseconds that behaves like the real one: state in its folder, and audited.

Imported by driver scripts and by the workers they start; loads nothing heavy.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bearing_search
from bearing_search.config import TrialConfig
from bearing_search.errors import TrialFailedError
from bearing_search.measurement import (
    COST_S,
    FINISHED_FOLDS,
    OBJECTIVE,
    Measurement,
    TrialContext,
    running_objective,
)

NUM_STEPS = 8
SPACE = """# Which tiny setting is best?
base: {finetune: {epochs: 40}}
vary:
  finetune.alternation_period: {int: [1, 10]}
  finetune.encoder_lr: {log: [1e-6, 1e-3]}
  finetune.ssim_layers: {subset: [9, 10, 11, 12], empty: [12]}
"""


def score_of(config: TrialConfig) -> float:
    """What the fake trial of a config ends with."""
    return 1.0 / config.finetune.alternation_period + len(config.finetune.ssim_layers) / 100


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Eight steps, each written down before it is told; like the real one it repeats them."""
    step_s = float(os.environ.get("FAKE_STEP_S", "0.2"))
    state_file = context.folder / "state.json"
    state = json.loads(state_file.read_text()) if state_file.exists() else {"step": 0}
    _audit(context, "start")
    for step in range(1, NUM_STEPS + 1):
        if step > state["step"]:
            if context.should_stop():
                return
            time.sleep(step_s)
            _misbehave(config, context, step)
            _audit(context, f"step {step}")
            temporary = state_file.with_suffix(".tmp")
            temporary.write_text(json.dumps({"step": step}))
            temporary.replace(state_file)
        yield _measurement(config, step)


def _measurement(config: TrialConfig, step: int) -> Measurement:
    values = {"train/loss": 1.0 / step}
    if step % 4 == 0:
        values |= {running_objective(OBJECTIVE): score_of(config), FINISHED_FOLDS: step // 4}
    if step == NUM_STEPS:
        cost = float(config.finetune.alternation_period)
        values |= {OBJECTIVE: score_of(config), "val/image_auroc": 0.5, COST_S: cost}
    return Measurement(
        step=step,
        values=values,
        stage=f"fold {1 + step // 5} of 2",
        progress=step / NUM_STEPS,
        tags={"data_digest": "fake"},
    )


def _misbehave(config: TrialConfig, context: TrialContext, step: int) -> None:
    number = int(context.folder.name)
    failing = json.loads(os.environ.get("FAKE_FAILING", "[]"))
    if failing == "all" or number in failing:
        raise TrialFailedError("no circle in LC_031")
    if number in json.loads(os.environ.get("FAKE_CRASHING", "[]")):
        raise ZeroDivisionError("a bug")
    if step == 3 and number in json.loads(os.environ.get("FAKE_KILLED", "[]")):
        os.kill(os.getpid(), 9)
    if step == 3 and number in json.loads(os.environ.get("FAKE_HANGING", "[]")):
        time.sleep(600)
    if step == 3 and number in json.loads(os.environ.get("FAKE_KILLED_ONCE", "[]")):
        marker = context.folder / "killed"
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), 9)


def _audit(context: TrialContext, what: str) -> None:
    line = {
        "what": what,
        "time": time.time(),
        "pid": os.getpid(),
        "node": os.environ.get("RAY_RAYLET_PID"),
        "code": bearing_search.__file__,
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "device": context.device,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "heavy": sorted({"torch", "mlflow", "optuna"} & set(sys.modules)),
    }
    with Path(context.folder / "audit.jsonl").open("a") as stream:
        stream.write(json.dumps(line) + "\n")
