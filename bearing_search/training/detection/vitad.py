"""Builds the ViTAD detector: its student, trained like all decoders."""

from functools import partial

from bearing_search.config import TrialConfig, VitadConfig
from bearing_search.models.detectors.vitad import VitadDecoder
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.decoder import DecoderDetector
from bearing_search.training.images import Images


def build(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> DecoderDetector:
    """The untrained detector (see `BuildDetector`)."""
    assert isinstance(encoder, Encoder)  # `check_backbone` refused others
    section, (rows, columns) = config.section_of(VitadConfig), encoder.grid
    return DecoderDetector(
        encoder,
        partial(VitadDecoder, encoder.dim, encoder.num_heads, rows * columns, section),
        config,
        normals=normals,
        rotation_deg=rotation_deg,
        device=device,
    )
