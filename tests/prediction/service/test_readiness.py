"""Before the network is loaded, nothing is accepted."""

import asyncio
import json

import pytest

from bearing_search.service.app import Service, make_app
from bearing_search.service.refusals import Refusal
from bearing_search.service.uploads import Limits
from bearing_search.service.worker import Worker


def status_of(app, path):
    """Status and content of a GET, without a server."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "scheme": "http"}
    scope |= {"headers": [(b"host", b"localhost")], "http_version": "1.1", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


def test_nothing_is_accepted_before_the_network_is_loaded(detector):
    worker = Worker(detector, keeps=1)
    service = Service(worker=worker, limits=Limits(), queue=2, names=frozenset({"localhost"}))
    app = make_app(service)
    assert status_of(app, "/healthz")[0] == 503
    assert status_of(app, "/healthz")[1]["status"] == "loading"
    with pytest.raises(Refusal, match="is being loaded") as refused:
        service.take()
    assert (refused.value.status, refused.value.retry_after_s) == (503, 2)
    worker.load().result(60)
    assert status_of(app, "/healthz")[0] == 200
    service.take()
    service.take()
    with pytest.raises(Refusal, match="as many as may") as refused:
        service.take()
    assert (refused.value.status, service.accepted) == (429, 2)
    worker.close()
