"""Where an encoder's weights come from, and under which licence they are."""

from bearing_search.config import EncoderConfig
from bearing_search.models.encoders.encoder import import_timm


def weights_origin(config: EncoderConfig) -> tuple[str, str]:
    """Source and licence of the weights, for a model card; `unknown` where nobody says."""
    if config.weights == "random":
        return "random", "none: random numbers"
    if config.weights.startswith("file:"):
        return "a file of yours", "unknown: see where the file comes from"
    pretrained = import_timm().get_pretrained_cfg(config.name)
    licence = getattr(pretrained, "license", None) or "unknown: see the source"
    source = getattr(pretrained, "hf_hub_id", None) or config.name
    return f"{config.weights} ({source})", str(licence)
