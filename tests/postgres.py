"""A PostgreSQL server for the length of a test, where this machine has the programs for one."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "never-to-be-written-" + secrets.token_hex(4)


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen

    @property
    def url(self) -> str:
        """Without the password, which is in the environment of who connects."""
        return f"postgresql://sweeps@127.0.0.1:{self.port}/postgres"


def missing() -> str:
    """Why no server can be started here; empty: one can."""
    if shutil.which("postgres") is None or shutil.which("initdb") is None:
        return "no PostgreSQL server on PATH (postgres, initdb)"
    if os.geteuid() == 0 and not _other_user():
        return "PostgreSQL refuses to run as root, and this machine has no user postgres"
    return ""


def _other_user() -> dict:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        return {}
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def server() -> Iterator[Server]:
    user = _other_user()
    folder = Path(tempfile.mkdtemp(prefix="bs-pg-"))
    try:
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if user:
            for path in (folder, secret):
                os.chown(path, user["user"], user["group"])
        data = folder / "data"
        subprocess.run(
            f"initdb -D {data} -U sweeps -A scram-sha-256 --no-sync --pwfile {secret}".split(),
            check=True,
            capture_output=True,
            cwd=folder,
            **user,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["postgres", "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, "-F"], cwd=folder, stdout=log, stderr=log, start_new_session=True, **user
            )
        try:
            _wait_for(port, process, folder / "log")
            yield Server(port, process)
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}")
