import io

from rich.console import Console

from bearing_search.config import TrialConfig
from bearing_search.measurement import Measurement
from bearing_search.session.progress import Estimate, SweepProgress
from bearing_search.trial_history.callbacks import SweepView, TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog
from bearing_search.trial_history.records import SweepOutcome, TrialRecord, trial_folder
from bearing_search.trial_history.titles import settings_text


def started(number, *, seed=0, suggestion=None, purpose="search"):
    config = TrialConfig(seed=seed)
    return TrialStarted(
        number=number,
        config=config,
        digest=config.digest,
        suggestion=suggestion or {},
        purpose=purpose,
    )


def test_settings_lose_their_section_and_keep_four_digits():
    suggestion = {"finetune.ssim_layers": [11, 12], "finetune.encoder_lr": 1.23456e-5}
    assert settings_text(suggestion) == "ssim_layers=[11, 12] encoder_lr=1.235e-05"


def test_an_estimate_counts_only_what_was_done_since_it_began(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    estimate = Estimate(4.0, done=2.0)
    assert estimate.text == ""
    now[0] += 60
    estimate.update(3.0)
    assert estimate.share == 0.75
    assert estimate.text == "about 1:00 left"


def test_a_resumed_sweep_shows_what_is_done_and_says_how_trials_end(tmp_path):
    out = io.StringIO()
    progress = SweepProgress(Console(file=out, width=200))
    done = TrialRecord(number=0, state="complete", value=0.5)
    stopped = TrialRecord(number=1, state="running")
    folder = trial_folder(tmp_path, 1)
    folder.mkdir(parents=True)
    MeasurementLog(folder / MEASUREMENTS_FILE).append(Measurement(step=9, values={}, progress=0.5))
    view = SweepView(name="s", sweep_id="x", folder=tmp_path, target=3, trials=[done, stopped])

    progress.on_sweep_start(view)
    progress.on_trial_start(started(1, suggestion={"seed": 1}))
    progress.on_measurement(1, Measurement(step=0, values={}, progress=0.2))  # a repetition
    progress.on_trial_end(TrialEnded(number=1, state="complete", value=0.75))
    progress.on_trial_start(started(2, suggestion={"seed": 2}))
    progress.on_trial_end(TrialEnded(number=2, state="failed", reason="no ring in LC_031"))
    progress.on_sweep_end(SweepOutcome(target=3, trials=[]))

    lines = out.getvalue().splitlines()
    assert lines[0] == "trial 1 begins: seed=1"
    assert lines[1].startswith("trial 1 complete: val/pixel_aupro 0.7500 (")
    assert lines[3].startswith("trial 2 failed: no ring in LC_031 (")


def test_runs_under_other_seeds_are_named_and_not_the_best(tmp_path):
    out = io.StringIO()
    progress = SweepProgress(Console(file=out, width=200))
    view = SweepView(name="s", sweep_id="x", folder=tmp_path, target=1, num_seed_runs=1)

    progress.on_sweep_start(view)
    progress.on_trial_start(started(0, purpose="default"))
    progress.on_trial_end(TrialEnded(number=0, state="complete", value=0.5))
    progress.on_trial_start(started(1, seed=1, purpose="audit"))
    progress.on_trial_end(TrialEnded(number=1, state="complete", value=0.75))

    assert "trial 1 begins:  seed=1 (audit)" in out.getvalue()
    assert progress._title() == "2 of 2 trials, best 0.5000 (trial 0)"
    progress.on_sweep_end(SweepOutcome(target=1, trials=[]))
