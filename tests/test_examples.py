"""Scripts in docs/examples, as far as they can be tried without what they are for."""

import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sbatch")), ids=lambda file: file.name)
def test_a_script_has_no_errors_of_syntax(script):
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert script.read_text().startswith("#!/bin/bash\n#SBATCH ")


SLURM = {
    "scontrol": 'echo "n1\nn2"',
    "srun": 'for last; do :; done; [ "$last" = --ip-address ] && echo 10.0.0.1; exit 0',
    "sleep": "exit 0",
}


def test_the_slurm_script_ends_its_driver_gently_and_goes_on_the_next_time(tmp_path):
    text = (EXAMPLES / "slurm.sbatch").read_text()
    text = text.replace("/shared/bearing_search/.venv/bin", str(tmp_path))
    text = text.replace("/shared/results", str(tmp_path / "results"))
    script = tmp_path / "job"
    script.write_text(text)
    driver = (
        '#!/bin/bash\necho "$@" >> ' + str(tmp_path / "said") + "\n"
        "trap 'exit 130' TERM\nkill -TERM $PPID\nfor _ in {1..100}; do /bin/sleep .05; done\n"
    )
    for name, body in {**SLURM, "python": driver}.items():
        file = tmp_path / name
        file.write_text(body if body.startswith("#!") else f"#!/bin/bash\n{body}\n")
        file.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_ID": "123",
    }

    def submit():
        return subprocess.run(
            ["bash", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    first = submit()
    (tmp_path / "results" / "first").mkdir(parents=True)
    (tmp_path / "results" / "first" / "sweep.json").touch()
    second = submit()

    assert (first.returncode, second.returncode) == (130, 130), first.stderr
    said = (tmp_path / "said").read_text().splitlines()
    assert said[0].startswith("-m bearing_search run paper --data /shared/data --trials 60")
    assert said[1].startswith("-m bearing_search resume first --results")
    assert all(line.endswith("--address 10.0.0.1:20123") for line in said)
