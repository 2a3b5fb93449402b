"""Weights from the hub: the user is told at once what is waited for, and not for long."""

import logging
import subprocess
import sys

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from bearing_search.config import EncoderConfig
from bearing_search.errors import WeightsError
from bearing_search.models.encoders.hub import HUB_ANSWER_S, announce_downloads, download


class Hub:
    """A hub that nothing was downloaded from yet."""

    def __init__(self, monkeypatch, *, is_reachable, revision=None):
        self.is_reachable, self.revision = is_reachable, revision
        self.timeouts: list[float] = []
        monkeypatch.setattr(huggingface_hub, "get_session", lambda: self)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", self.fetch)

    def head(self, url, *, timeout):
        assert url.endswith(f"/timm/vit/resolve/{self.revision or 'main'}/model.safetensors")
        self.timeouts.append(timeout)
        if not self.is_reachable:
            raise RuntimeError("Name or service\nnot known")

    def fetch(self, repository, filename, *, revision, local_files_only=False):
        assert revision == self.revision
        if local_files_only:
            raise LocalEntryNotFoundError("not in the cache")
        assert self.is_reachable, "asked although nothing answers"
        return "/cache/model.safetensors"


def test_a_hub_that_does_not_answer_is_given_up_with_the_ways_out(monkeypatch, caplog):
    hub = Hub(monkeypatch, is_reachable=False)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(WeightsError, match=r"\(Name or service not known\).*file:PATH.*wheel"),
    ):
        download("timm/vit", "model.safetensors", model="vit")

    assert "waiting for https://" in caplog.text
    assert hub.timeouts == [HUB_ANSWER_S]
    assert 2 * HUB_ANSWER_S < 10  # to connect, and to answer


@pytest.mark.parametrize("revision", [None, "0123abc"])
def test_a_hub_that_answers_is_asked_for_the_file_at_its_revision(monkeypatch, revision):
    Hub(monkeypatch, is_reachable=True, revision=revision)

    found = download("timm/vit", "model.safetensors", model="vit", revision=revision)
    assert str(found) == "/cache/model.safetensors"


@pytest.mark.parametrize(
    ("weights", "is_from_hub", "revision"),
    [("hub", True, None), ("hub@v1.0", True, "v1.0"), ("wheel", False, None)],
)
def test_a_revision_of_the_hub_is_part_of_the_setting(weights, is_from_hub, revision):
    config = EncoderConfig(weights=weights)
    assert (config.is_from_hub, config.hub_revision) == (is_from_hub, revision)


@pytest.mark.parametrize("weights", ["hub@", "hub@../main", "hub@a b", "hubs", "hub@-x"])
def test_what_is_no_revision_is_refused(weights):
    with pytest.raises(ValueError, match="hub@REVISION"):
        EncoderConfig(weights=weights)


def test_who_waits_for_the_hub_is_told_before_torch_is_loaded(monkeypatch, caplog):
    held = {"timm/there": "/cache/model.safetensors"}
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda name, *_, **__: held.get(name)
    )
    announce_downloads(
        EncoderConfig(name=name, weights=weights)
        for name, weights in [
            ("there", "hub"),
            ("away", "hub@1"),
            ("away", "hub@1"),
            ("w", "wheel"),
        ]
    )
    (line,) = caplog.messages
    assert line.startswith("the weights of away are not on this machine; waiting for torch, then ")


def test_the_hub_is_announced_without_torch():
    code = (
        "import sys; from bearing_search.config import EncoderConfig as E\n"
        "from bearing_search.models.encoders.hub import announce_downloads as a\n"
        "a([E()]); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "waiting for torch" in done.stderr
