"""The example of docs/python.md, as a reader runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/python.md"


@pytest.mark.slow
def test_the_example_goes_from_data_to_a_data_frame_and_a_score(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(example.strip().splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("complete") >= 2
    assert re.search(r"image_score\n\d+ +\w+ +\d", done.stdout)
    assert (tmp_path / "leaderboard.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "results/first/report.md").exists()
