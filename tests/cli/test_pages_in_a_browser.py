"""What `ui` prints, opened in Chromium: every run's score and settings, without a click."""

import re
import shutil
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from bearing_search.config import TrialConfig
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.tracking import MlflowTracker, default_tracking_uri
from bearing_search.trial_history.callbacks import TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PERIOD = "finetune.alternation_period"
SPACE = f"# which?\nbase: {{}}\nvary:\n  {PERIOD}: {{int: [1, 10]}}\n"
SCORES = [0.7012, 0.9034, 0.8056]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture
def results(tmp_path):
    """Three trials of a sweep, as a driver logs them."""
    record = SweepRecord(name="first", space_text=SPACE, data="rings", data_digest="d", target=3)
    sweep = create_sweep(tmp_path, record).view(())
    tracker = MlflowTracker(default_tracking_uri(tmp_path))
    tracker.on_sweep_start(sweep)
    for number, score in enumerate(SCORES):
        folder = sweep.trial_folder(number)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        suggestion = {PERIOD: number + 3}
        tracker.on_trial_start(
            TrialStarted(number=number, config=TrialConfig(), digest="d", suggestion=suggestion)
        )
        values = {OBJECTIVE: score, "val/image_auroc": score / 2, "cost/seconds": 60.0}
        measurement = Measurement(step=1, values=values, progress=1.0)
        MeasurementLog(folder / MEASUREMENTS_FILE).append(measurement)
        tracker.on_measurement(number, measurement)
        tracker.on_trial_end(TrialEnded(number=number, state="complete", value=score))
    return tmp_path


@pytest.fixture
def address(results):
    """What `ui` prints for the sweep, once its server answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bearing_search", "ui", "--results", str(results)]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            assert server.stdout is not None
            lines = iter(server.stdout.readline, "")
            found = next(line for line in lines if "highest score first" in line)
            for _ in range(600):
                try:
                    urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield re.findall(r"http\S+", found)[0]
        finally:
            server.terminate()


def test_scores_and_settings_are_read_without_a_click(address, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as browsers:
        # without a sandbox: it needs privileges that a container does not have
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address, timeout=120_000)
        page.wait_for_selector(".ag-row >> text=0.9034", timeout=120_000)
        page.screenshot(path=tmp_path / "runs.png")
        shown = page.inner_text("body")
        names = [name.inner_text() for name in page.query_selector_all("[col-id*='Run Name'] a")]
        browser.close()
    assert names == ["001 period=4", "002 period=5", "000 period=3"]  # best first
    assert all(str(score) in shown for score in SCORES)
    assert "Show more columns" not in shown
    assert errors == []
