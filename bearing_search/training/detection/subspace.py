"""Builds the SubspaceAD detector: a subspace of patches of unrotated samples."""

from bearing_search.config import SubspaceConfig, TrialConfig
from bearing_search.models.detectors.subspace import Subspace
from bearing_search.training.backbone import Backbone
from bearing_search.training.detection.memory_bank import MemoryBankDetector
from bearing_search.training.images import Images


def build(
    encoder: Backbone, config: TrialConfig, *, normals: Images, rotation_deg: float, device: str
) -> MemoryBankDetector:
    """The untrained detector (see `BuildDetector`)."""
    section = config.section_of(SubspaceConfig)
    memory = Subspace(section)
    return MemoryBankDetector(
        encoder, memory, section.blocks, config, normals=normals, device=device
    )
