"""Builds the PatchCore detector: a memory bank of patches of unrotated samples."""

from bearing_search.config import PatchCoreConfig, TrialConfig
from bearing_search.models.detectors.patchcore import PatchCore
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.memory_bank import MemoryBankDetector
from bearing_search.training.images import Images


def build(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> MemoryBankDetector:
    """The untrained detector (see `BuildDetector`)."""
    section, is_cnn = config.section_of(PatchCoreConfig), isinstance(encoder, Cnn)
    side = section.averaged_side(is_cnn=is_cnn)
    memory = PatchCore(section, seed=config.seed, averaged_side=side)
    reads = section.layers if is_cnn else section.blocks
    return MemoryBankDetector(encoder, memory, reads, config, normals=normals, device=device)
