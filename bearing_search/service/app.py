"""The routes of the service."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from bearing_search.service.guard import Guard
from bearing_search.service.metrics import CONTENT_TYPE
from bearing_search.service.pages import calls_page, verdicts_page
from bearing_search.service.refusals import Refusal
from bearing_search.service.uploads import Limits, drain, receive, require_length
from bearing_search.service.worker import Judged, Task, Worker

_BODY: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "levels of one sample, named x_b0, x_b1, ...",
                        },
                        "part": {"type": "string"},
                        "sample": {"type": "string"},
                    },
                }
            }
        },
    }
}

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "the verdict, as a line of `predict --json`, with its number `id`"},
    408: {"description": "the body did not arrive in time"},
    413: {"description": "the body, or a picture by its header, is too large"},
    422: {"description": "no sample of this detector; `error` says what was wanted"},
    429: {"description": "as many samples as may wait are waiting; see Retry-After"},
    500: {"description": "a bug; the sample has no verdict"},
    503: {"description": "the network is not loaded yet; see Retry-After"},
}

_GONE: dict[int | str, dict[str, Any]] = {404: {"description": "not among the last verdicts"}}


@dataclass(slots=True, kw_only=True)
class Service:
    """What the routes share. Used by the event loop alone, so `accepted` needs no lock."""

    worker: Worker
    limits: Limits
    queue: int
    """Samples that may be accepted at a time, the one that is judged included."""

    accepted: int = 0
    names: frozenset[str] = field(default_factory=frozenset)
    """Host names that it goes by."""

    def take(self) -> None:
        """Accept one more sample.

        Raises:
            Refusal: the network is not loaded, or the queue is full.
        """
        if not self.worker.is_ready:
            line = "the network is being loaded; ask again"
            raise Refusal(status=503, line=line, why="not_ready", retry_after_s=2)
        if self.accepted >= self.queue:
            line = f"{self.accepted} samples are waiting, as many as may; send it again later"
            raise Refusal(status=429, line=line, why="queue_full", retry_after_s=1)
        self.accepted += 1

    async def judge(self, request: Request, *, with_map: bool) -> dict[str, Any]:
        """The verdict on the sample of a request, in JSON types.

        Raises:
            Refusal: it is not judged.
        """
        require_length(request, self.limits)
        self.take()
        try:
            upload = await receive(request, self.worker.detector.parts, self.limits)
            task = Task(sample=upload.sample, shown=upload.shown, cleanup=upload.remove)
            judged = await asyncio.wrap_future(self.worker.submit(task))
            found = as_json(judged)
            if with_map:
                content = await asyncio.wrap_future(judged.picture)
                found["map_png"] = base64.b64encode(content).decode() or None
            return found
        finally:
            self.accepted -= 1

    def metrics(self) -> str:
        """Everything for Prometheus."""
        gauges = {
            "queue_length": ("Samples that are accepted and have no verdict.", self.accepted),
            "queue_capacity": ("Samples that may be accepted at a time.", self.queue),
            "ready": ("1 once the network is loaded.", float(self.worker.is_ready)),
        }
        return self.worker.metrics.text(gauges)


def as_json(judged: Judged) -> dict[str, Any]:
    """A verdict as `predict --json` has it, and its number."""
    return {**judged.result.as_json(), "id": judged.number}


def make_app(service: Service) -> FastAPI:
    """The application around a service."""
    app = FastAPI(
        title="bearing_search",
        version=version("bearing_search"),
        summary="Judges photographs with an exported detector.",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Guard, names=service.names, metrics=service.worker.metrics)
    _add_refusals(app, service)
    _add_judging(app, service)
    _add_pages(app, service)
    return app


def _add_refusals(app: FastAPI, service: Service) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        service.worker.metrics.add_refusal(error.why)
        await drain(request, service.limits)
        headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
        return JSONResponse({"error": error.line}, status_code=error.status, headers=headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        service.worker.metrics.add_refusal("failed")
        line = f"the sample could not be judged: {type(error).__name__}; the log has more"
        return JSONResponse({"error": line}, status_code=500)


def _add_judging(app: FastAPI, service: Service) -> None:
    @app.post("/judge", summary="Judge one sample", responses=_ANSWERS, openapi_extra=dict(_BODY))
    async def judge(
        request: Request,
        part: str = Query("", description="part; default: the detector's only one"),
        sample: str = Query("", description="name; default: that of the files"),
        map: bool = Query(False, description="whether `map_png` has the overlay, base64"),
    ) -> Response:
        """Form fields: files (one for each level, named x_b0.png, x_b1.png, ...), part, sample."""
        return JSONResponse(await service.judge(request, with_map=map))

    @app.get("/verdicts/{number}/map.png", summary="Overlay of a sample", responses=_GONE)
    async def picture(number: int) -> Response:
        """Photograph, outlines and anomaly map of one of the last verdicts."""
        judged = service.worker.find(number)
        content = b"" if judged is None else await asyncio.wrap_future(judged.picture)
        if not content:
            line = f"verdict {number}: there is no picture of it (any more)"
            return JSONResponse({"error": line}, status_code=404)
        return Response(content, media_type="image/png")

    @app.get("/verdicts", summary="Last verdicts, newest first")
    async def verdicts() -> Response:
        """A list of verdicts, as `/judge` returns them."""
        return JSONResponse([as_json(one) for one in service.worker.recent()])


def _add_pages(app: FastAPI, service: Service) -> None:
    detector = service.worker.detector

    @app.get(
        "/healthz", summary="Whether it can judge", responses={503: {"description": "not yet"}}
    )
    async def healthz() -> Response:
        """`status` is `ready` once the network is loaded."""
        ready = service.worker.is_ready
        content = {
            "status": "ready" if ready else "loading",
            "parts": list(detector.parts),
            "format": detector.form,
            "precision": detector.precision,
        }
        return JSONResponse(content, status_code=200 if ready else 503)

    @app.get("/metrics", summary="Counts and times for Prometheus")
    async def metrics() -> Response:
        """Text format 0.0.4."""
        return PlainTextResponse(service.metrics(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/", include_in_schema=False)
    async def last(paused: bool = False) -> Response:
        recent = service.worker.recent()
        return HTMLResponse(verdicts_page(detector, recent, is_paused=paused))

    @app.get("/docs", include_in_schema=False)
    async def calls() -> Response:
        return HTMLResponse(calls_page(detector, app.openapi()))
