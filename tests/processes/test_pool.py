import signal
import subprocess
import sys

import psutil
import pytest

STARTS_A_CHILD = """
import os, time
from bearing_search.processes.pool import process_pool

def forever(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)

if __name__ == "__main__":
    with process_pool(1) as process:
        process.submit(forever, 600).result()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_process_of_the_pool_ends_with_its_parent(tmp_path, number):
    script = tmp_path / "parent.py"
    script.write_text(STARTS_A_CHILD, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()

    parent.send_signal(number)
    assert parent.wait(timeout=20) == -number
    assert psutil.wait_procs([child], timeout=20)[1] == []
    parent.stdout.close()
