"""`serve` as a process of its own on a free port, with a real ONNX graph."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest


class Client:
    """Calls a service."""

    def __init__(self, address, process):
        self.address, self.process = address, process
        self.said: list[str] = []

    def get(self, path, **headers):
        """Status, content and headers."""
        return self._answer(urllib.request.Request(self.address + path, headers=headers))

    def judge(self, *files, query="", **headers):
        """Status, JSON and headers; a file is a path, or a name and its content."""
        named = [f if isinstance(f, tuple) else (f.name, f.read_bytes()) for f in files]
        pieces = []
        for name, content in named:
            quoted = name.replace('"', "%22")
            head = (
                f'--XX\r\nContent-Disposition: form-data; name="files"; filename="{quoted}"\r\n\r\n'
            )
            pieces += [head.encode(), content, b"\r\n"]
        headers = {"Content-Type": "multipart/form-data; boundary=XX", **headers}
        request = urllib.request.Request(
            f"{self.address}/judge{query}", b"".join([*pieces, b"--XX--\r\n"]), headers
        )
        status, content, given = self._answer(request)
        return status, json.loads(content), given

    def stop(self, sig=signal.SIGTERM):
        """Exit status and stderr."""
        self.process.send_signal(sig)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    @staticmethod
    def _answer(request):
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                return found.status, found.read(), dict(found.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), dict(error.headers)


@contextmanager
def running(folder, *flags, code=""):
    """A client of `serve FOLDER`, once it is ready; `code` runs in the process before."""
    program = f"{code}\nimport sys; from bearing_search.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", str(folder), "--port", "0", *flags]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder.parent)}
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "")
            said = []
            for line in lines:
                said.append(line)
                if line == "ready\n":
                    break
            else:
                raise AssertionError(process.stderr.read())
            address = next(w for line in said for w in line.split() if w.startswith("http://"))
            client = Client(address, process)
            client.said = said
            yield client
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            finally:
                process.kill()


@pytest.fixture
def serving(detector_folder):
    """`serving(*flags)`: a client of a detector with the part `plate`, of two levels."""

    @contextmanager
    def start(*flags, code="", parts=("plate",)):
        folder = detector_folder.made if hasattr(detector_folder, "made") else None
        folder = folder or detector_folder(parts=parts)
        detector_folder.made = folder
        with running(folder, *map(str, flags), code=code) as client:
            client.folder = folder
            yield client

    return start


def eventually(check, seconds=30.0):
    """What `check` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@pytest.fixture(name="eventually")
def _eventually():
    return eventually
