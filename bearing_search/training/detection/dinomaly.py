"""Builds the Dinomaly detector: its decoder, trained like all decoders."""

from functools import partial

from bearing_search.config import DinomalyConfig, TrialConfig
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.decoder import DecoderDetector
from bearing_search.training.images import Images


def build(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> DecoderDetector:
    """The untrained detector (see `BuildDetector`)."""
    assert isinstance(encoder, Encoder)  # `check_backbone` refused others
    section = config.section_of(DinomalyConfig)
    return DecoderDetector(
        encoder,
        partial(DinomalyDecoder, encoder.dim, encoder.num_heads, section),
        config,
        normals=normals,
        rotation_deg=rotation_deg,
        device=device,
    )
