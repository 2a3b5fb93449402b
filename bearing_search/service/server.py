"""Runs the service until it is asked to stop; what was accepted by then is finished."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.runtime.detector import load_detector
from bearing_search.service.app import Service, make_app
from bearing_search.service.guard import LOOPBACK, own_names
from bearing_search.service.journal import Journal
from bearing_search.service.uploads import Limits
from bearing_search.service.watching import Watch, WatchOptions
from bearing_search.service.worker import Worker

_SPARE_CONNECTIONS = 64
"""Connections besides those of accepted samples: pages, metrics, refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the service runs."""

    detector: Path
    host: str = "127.0.0.1"
    port: int = 8000
    queue: int = 16
    """Samples that may be accepted at a time, the one that is judged included."""

    keeps: int = 20
    """Verdicts on the page."""

    threads: int = 0
    limits: Limits = field(default_factory=Limits)
    watch: WatchOptions | None = None


class _Server(uvicorn.Server):
    """A server that ends without sending its process the signal once more."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first SIGINT or SIGTERM; at the second give up what is unfinished."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {one: signal.signal(one, self.handle_exit) for one in wanted}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def serve(options: ServerOptions, tell: Callable[[str], None]) -> bool:
    """Serve until SIGINT or SIGTERM.

    Args:
        options: what to serve, and where.
        tell: shows a line to the user.

    Returns:
        Whether everything that was accepted was finished; False after a second signal.

    Raises:
        BundleError: the detector cannot be used.
        ConfigError: the folder to watch does not exist, or its part is not known.
        ResourceError: nothing can listen there, or what runs the network is not installed.
    """
    detector = load_detector(options.detector, threads=options.threads)
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(options.host, options.port))
        worker = Worker(detector, keeps=options.keeps)
        stack.callback(worker.close)
        watch = None
        if options.watch is not None:
            if not options.watch.folder.is_dir():
                raise ConfigError(f"{options.watch.folder}: is no folder; name one with --watch")
            journal = stack.enter_context(Journal(options.watch.out))
            watch = Watch(options.watch, worker, journal)
            stack.callback(watch.close)
        service = Service(
            worker=worker,
            limits=options.limits,
            queue=options.queue,
            names=frozenset(own_names(options.host)),
        )
        server = _Server(
            uvicorn.Config(
                make_app(service),
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=options.queue + _SPARE_CONNECTIONS,
            )
        )
        for line in greeting(options, listening.getsockname()[1]):
            tell(line)
        loading = worker.load()
        loading.add_done_callback(lambda done: _begin(done, server, watch, tell))
        stack.enter_context(_stopping_with(server, watch))
        server.run(sockets=[listening])
        if server.force_exit:
            worker.give_up()
        if watch is not None:
            watch.close()
        if loading.done() and (error := loading.exception()) is not None:
            raise error
        if watch is not None and watch.error is not None:
            raise watch.error
        return not server.force_exit


def greeting(options: ServerOptions, port: int) -> Iterator[str]:
    """What is said at the start: where it listens, and who can reach it."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    yield f"{options.detector}: http://{host}:{port} (verdicts), /docs (how to call it)"
    if options.host not in LOOPBACK:
        yield (
            f"everyone who can reach {options.host} on port {port} can send pictures and see the "
            "last ones: there is no password and no encryption"
        )
    else:
        yield "only programs on this machine can reach it; --host ADDRESS opens it to others"
    if options.watch is not None:
        yield f"watching {options.watch.folder}; verdicts go to {options.watch.out}"
    yield "Ctrl-C finishes what was accepted, and stops"


def _begin(
    loading: "Future[None]", server: _Server, watch: Watch | None, tell: Callable[[str], None]
) -> None:
    if loading.exception() is not None:
        server.should_exit = True
        return
    tell("ready")
    if watch is not None and not server.should_exit:
        watch.start()


@contextmanager
def _stopping_with(server: _Server, watch: Watch | None) -> Iterator[None]:
    """Stops the server once the watch has ended by itself."""
    done = threading.Event()

    def look() -> None:
        while watch is not None and not done.wait(0.2):
            if watch.has_failed:
                server.should_exit = True

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(128)
        except BaseException:
            found.close()
            raise
    except OSError as error:
        raise ResourceError(
            f"nothing can listen at port {port} of {host}: {error.strerror or error}. Choose "
            "another --port (or --host)"
        ) from None
    return found
