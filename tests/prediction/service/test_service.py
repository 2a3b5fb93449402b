"""The service as a process, called over HTTP."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from bearing_search.cli import main

pytestmark = pytest.mark.slow

SLOW = """
import time
from bearing_search.service import worker
judge = worker.judge_one
def slowly(detector, sample):
    time.sleep({seconds})
    return judge(detector, sample)
worker.judge_one = slowly
"""
"""Makes every verdict take longer, so that samples wait."""


def levels(first):
    return [first, first.with_name(first.name.replace("_b0", "_b1"))]


def counted(client, name):
    text = client.get("/metrics")[1].decode()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(f"bearing_search_{name}")
    }


def test_a_service_says_what_predict_says(serving, photograph, capsys, tmp_path):
    good, dent, dark = (
        photograph("p/good"),
        photograph("p/dent", spot=200),
        photograph("p/dark", background=2),
    )
    with serving() as client:
        capsys.readouterr()
        assert main(["predict", str(client.folder), str(tmp_path / "p"), "--json"]) == 3
        wanted = {
            one["sample"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())
        }
        for first in (good, dent, dark):
            status, said, _ = client.judge(*reversed(levels(first)), query="?map=true")
            picture = base64.b64decode(said.pop("map_png"))
            assert client.get(f"/verdicts/{said.pop('id')}/map.png")[1] == picture
            assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is not None
            expected = wanted[said["sample"]]
            assert said.pop("files") == [file.name for file in levels(first)]
            assert status == 200
            for one in (said, expected):
                one.pop("seconds")
                one.pop("files", None)
            assert said == expected
        assert {one["verdict"] for one in wanted.values()} == {"OK", "NG", "wrong light"}
        # what cannot be judged has a verdict that is not OK
        half = (dent.name, dent.read_bytes()[:90])
        status, said, _ = client.judge(half, levels(dent)[1])
        assert (status, said["verdict"], said["score"]) == (200, "unreadable", None)
        assert "dent_b0.png" in said["reason"]
        assert str(tmp_path) not in said["reason"]
        assert client.judge(good)[1]["verdict"] == "wrong levels"
        assert client.judge(levels(good)[1])[1]["verdict"] == "wrong levels"

        status, health, _ = client.get("/healthz")
        assert (status, json.loads(health)["status"]) == (200, "ready")
        counts = counted(client, "verdicts_total")
        assert counts['bearing_search_verdicts_total{verdict="NG"}'] == 1
        assert counts['bearing_search_verdicts_total{verdict="wrong levels"}'] == 2
        assert counted(client, "latency_seconds_count") == {
            "bearing_search_latency_seconds_count": 6
        }
        assert counted(client, "queue_length") == {"bearing_search_queue_length": 0}
        assert [one["id"] for one in json.loads(client.get("/verdicts")[1])] == [6, 5, 4, 3, 2, 1]
        schema = json.loads(client.get("/openapi.json")[1])
        assert {"200", "413", "422", "429", "503"} <= set(
            schema["paths"]["/judge"]["post"]["responses"]
        )
        status, page, _ = client.get("/docs")
        assert status == 200
        assert b"<script" not in page
        assert client.stop() == (0, "")


def test_what_is_no_sample_is_refused_in_one_line(serving, photograph):
    good = photograph("p/good")
    large = photograph("p/large", shape=(300, 300))
    text = ("x_b0.png", b"no picture")
    with serving("--max-mb", ".02", "--max-megapixels", ".05", parts=("plate", "LC")) as client:
        plate = "?part=plate"
        cases = [
            (422, "no file was sent", client.judge(query=plate)),
            (422, "no part is named", client.judge(*levels(good))),
            (422, "part '<b>' is not known", client.judge(*levels(good), query="?part=%3Cb%3E")),
            (422, "is no image whose size", client.judge(text, query=plate)),
            (422, "images end in", client.judge(("x.exe", b"MZ"), query=plate)),
            (422, "both brightness 0", client.judge(good, ("o_b0.png", b""), query=plate)),
            (422, "files of 2 samples", client.judge(good, ("o_b1.png", b""), query=plate)),
            (413, "300x300 pixels", client.judge(*levels(large), query=plate)),
            (413, "larger than 0.02 MB", client.judge(("x_b0.png", b"x" * 30_000), query=plate)),
            (422, "wanted multipart/form-data", client.judge(**{"Content-Type": "text/plain"})),
            (403, "go by the host", client.judge(good, query=plate, Host="evil.example")),
            (403, "pages of others", client.judge(good, Origin="http://evil.example")),
        ]
        for status, line, (got, said, _) in cases:
            assert (got, line in said["error"]) == (status, True), said
            assert "\n" not in said["error"]
        assert client.get("/verdicts/1/map.png")[0] == 404
        refused = counted(client, "refused_total")
        assert refused['bearing_search_refused_total{reason="too_large"}'] == 2
        assert refused['bearing_search_refused_total{reason="foreign"}'] == 2
        assert client.judge(*levels(good), query=plate)[1]["verdict"] == "OK"
        assert counted(client, "queue_length") == {"bearing_search_queue_length": 0}


def test_a_full_queue_refuses_and_loses_nothing(serving, photograph):
    firsts = [photograph(f"p/s{number}", spot=140 + number) for number in range(12)]
    with serving("--queue", 3, code=SLOW.format(seconds=0.3)) as client:
        answers = {}

        def send(first):
            while (found := client.judge(*levels(first)))[0] == 429:
                assert found[2]["retry-after"] == "1"
                assert "as many as may" in found[1]["error"]
                threading.Event().wait(0.1)
            return found

        with ThreadPoolExecutor(4) as clients:
            answers = dict(zip(firsts, clients.map(send, firsts), strict=True))
        assert all(status == 200 for status, _, _ in answers.values())
        assert [said["score"] for _, said, _ in answers.values()] == list(range(140, 152))
        refused = counted(client, "refused_total")[
            'bearing_search_refused_total{reason="queue_full"}'
        ]
        assert refused > 0
        assert counted(client, "verdicts_total")['bearing_search_verdicts_total{verdict="NG"}'] == 2
        assert sum(counted(client, "verdicts_total").values()) == 12


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_what_was_accepted_is_finished_at_the_end(serving, photograph, eventually, sig):
    first = photograph("p/dent", spot=200)
    with serving(code=SLOW.format(seconds=1.0)) as client, ThreadPoolExecutor(2) as clients:
        sent = [clients.submit(client.judge, *levels(first)) for _ in range(2)]
        eventually(lambda: counted(client, "queue_length") == {"bearing_search_queue_length": 2})
        assert client.stop(sig) == (0, "")
        assert not list(client.folder.parent.glob("bearing_search-*"))  # of what was sent
        assert [one.result()[1]["verdict"] for one in sent] == ["NG", "NG"]


def test_a_second_signal_gives_up(serving, photograph, eventually):
    first = photograph("p/dent", spot=200)
    with serving(code=SLOW.format(seconds=2.0)) as client, ThreadPoolExecutor(3) as clients:
        sent = [clients.submit(client.judge, *levels(first)) for _ in range(3)]
        eventually(lambda: counted(client, "queue_length") == {"bearing_search_queue_length": 3})
        client.process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.4)
        assert client.stop(signal.SIGTERM)[0] == 130
        assert any(one.exception() for one in sent)


def test_what_cannot_start_is_one_line(serving, detector_folder, tmp_path, capsys):
    with serving() as client:
        port = client.address.rpartition(":")[2]
        assert client.said[1].startswith("only programs on this machine can reach it")
        assert main(["serve", str(client.folder), "--port", port]) == 5
        assert "nothing can listen at port" in capsys.readouterr().err
        assert main(["serve", str(client.folder), "--watch", str(tmp_path)]) == 2
        missing = ["--watch", str(tmp_path / "gone"), "--out", str(tmp_path / "o.jsonl")]
        assert main(["serve", str(client.folder), "--port", "0", *missing]) == 2
        assert "is no folder" in capsys.readouterr().err
        (client.folder / "networks" / "0" / "model.onnx").write_bytes(b"no graph")
        assert main(["serve", str(client.folder), "--port", "0"]) == 11


def test_importing_the_service_loads_neither_torch_nor_a_search():
    code = (
        "import bearing_search.service.server, bearing_search.cli.commands.deploy.serve\n"
        "import json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(json.loads(done.stdout))
    assert {"fastapi", "uvicorn", "cv2"} <= found
    assert found.isdisjoint({"torch", "timm", "ray", "optuna", "mlflow", "pandas", "onnxruntime"})


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=x onerror=document.title='taken'>"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.filterwarnings("default")
def test_the_page_in_a_browser(serving, photograph, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    dent = photograph("p/dent", spot=200)
    with serving("--last", 3, "--max-mb", 1) as client:
        client.judge(*levels(photograph("p/dropped")))
        client.judge(*levels(photograph("p/good")))
        client.judge(*levels(dent))
        hostile = [(f"{HOSTILE}_b{n}.png", dent.read_bytes()) for n in range(2)]
        assert client.judge(*hostile)[1]["sample"] == HOSTILE
        with playwright.sync_playwright() as browsers:
            # without a sandbox: it needs privileges that a container does not have
            browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            asked, errors = [], []
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text))
            page.goto(f"{client.address}/?paused=1")
            page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth)")
            words = [one.inner_text() for one in page.query_selector_all(".word")]
            names = [one.inner_text() for one in page.query_selector_all("span.name")]
            pictures = len(page.query_selector_all("img"))
            title = page.title()
            page.screenshot(path=tmp_path / "page.png", full_page=True)
            page.click("text=how to call it")
            calls = page.inner_text("body")
            browser.close()
    assert words == ["NG", "NG", "OK"]
    assert names == [HOSTILE, "dent", "good"]
    assert pictures == 3
    assert title == "Last verdicts"
    assert errors == []
    assert all(url.startswith((client.address, "data:")) for url in asked)
    assert "POST /judge" in calls
