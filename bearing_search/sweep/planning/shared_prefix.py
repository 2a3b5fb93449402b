"""Digests of the training that trials can share: the fine-tuned encoder, or its first epochs.

They are digests of settings, not of contents as in the stage cache: this module does without torch.
"""

from typing import NamedTuple

from bearing_search.config import TrialConfig, digest_of, stable_settings, to_plain
from bearing_search.stage_cache.key import ENCODER_SECTIONS, STAGES_VERSION


class SharedPrefix(NamedTuple):
    """Digests of the stages that trials can share; empty: not shareable."""

    beginning: str = ""
    """Reconstruction-only epochs, if they are the same for all alternation periods."""

    encoder: str = ""
    """Fine-tuned encoder; empty if the encoder stays frozen."""


def shared_prefix(config: TrialConfig) -> SharedPrefix:
    """The digests of a config's shareable stages."""
    tuning = config.finetune
    if not tuning.epochs:
        return SharedPrefix()
    plain = stable_settings(to_plain(config))
    # encoders of older code are not shared
    settings = {name: plain[name] for name in ENCODER_SECTIONS if name in plain}
    settings |= {"code": STAGES_VERSION["encoder"]}
    encoder = digest_of(settings)
    if not tuning.reconstruction_only_epochs or tuning.schedule == "iterations":
        return SharedPrefix(encoder=encoder)
    finetune = {k: v for k, v in plain["finetune"].items() if k != "alternation_period"}
    return SharedPrefix(beginning=digest_of(settings | {"finetune": finetune}), encoder=encoder)
