"""Digests of what trials may share of a config's training: its fine-tuned encoder, or the beginning
of that. No torch, so no digests of contents as the store's; of equal settings only."""

from typing import NamedTuple

from bearing_search.config import TrialConfig, digest_of, stable_settings, to_plain
from bearing_search.stage_cache.key import ENCODER_SECTIONS, STAGES_VERSION


class SharedPrefix(NamedTuple):
    """Digests of what trials share; empty: there is no such thing."""

    beginning: str = ""
    """The epochs of reconstruction alone, where all alternation periods have the same."""

    encoder: str = ""
    """The fine-tuned encoder; empty where it stays frozen."""


def shared_prefix(config: TrialConfig) -> SharedPrefix:
    """What others may share of a config's training."""
    tuning = config.finetune
    if not tuning.epochs:
        return SharedPrefix()
    plain = stable_settings(to_plain(config))
    # an encoder of older code is none of ours
    settings = {name: plain[name] for name in ENCODER_SECTIONS if name in plain}
    settings |= {"code": STAGES_VERSION["encoder"]}
    encoder = digest_of(settings)
    if not tuning.reconstruction_only_epochs or tuning.schedule == "iterations":
        return SharedPrefix(encoder=encoder)
    finetune = {k: v for k, v in plain["finetune"].items() if k != "alternation_period"}
    return SharedPrefix(beginning=digest_of(settings | {"finetune": finetune}), encoder=encoder)
