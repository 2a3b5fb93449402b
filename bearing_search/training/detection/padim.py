"""Builds the PaDiM detector: a Gaussian per position, fitted to unrotated samples."""

from bearing_search.config import PadimConfig, TrialConfig
from bearing_search.models.detectors.padim import Padim
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.memory_bank import MemoryBankDetector
from bearing_search.training.images import Images


def build(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> MemoryBankDetector:
    """The untrained detector (see `BuildDetector`)."""
    section = config.section_of(PadimConfig)
    reads = section.layers if isinstance(encoder, Cnn) else section.blocks
    memory = Padim(section, seed=config.seed)
    return MemoryBankDetector(encoder, memory, reads, config, normals=normals, device=device)
