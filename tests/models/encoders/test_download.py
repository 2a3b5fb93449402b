"""Weights from the hub: the user is told at once what is waited for, and not for long."""

import logging

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from bearing_search.errors import WeightsError
from bearing_search.models.encoders.weights import HUB_ANSWER_S, download


class Hub:
    """A hub that nothing was downloaded from yet."""

    def __init__(self, monkeypatch, *, is_reachable):
        self.is_reachable = is_reachable
        self.timeouts: list[float] = []
        monkeypatch.setattr(huggingface_hub, "get_session", lambda: self)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", self.fetch)

    def head(self, url, *, timeout):
        assert url.endswith("/timm/vit/resolve/main/model.safetensors")
        self.timeouts.append(timeout)
        if not self.is_reachable:
            raise RuntimeError("Name or service\nnot known")

    def fetch(self, repository, filename, *, local_files_only=False):
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


def test_a_hub_that_answers_is_asked_for_the_file(monkeypatch):
    Hub(monkeypatch, is_reachable=True)

    found = download("timm/vit", "model.safetensors", model="vit")
    assert str(found) == "/cache/model.safetensors"
