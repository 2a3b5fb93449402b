"""Everything that can change the outcome of a trial: frozen dataclasses with the paper's defaults.

Paths, devices and worker counts are arguments, never settings: they must not change the digest.
pydantic reads field types at run time, so annotations stay real objects in this package.
"""

from bearing_search.config.augmentation import AugmentConfig
from bearing_search.config.detector_table import DETECTORS, DetectorSpec, MapSpec
from bearing_search.config.detectors.decoders import DecoderConfig, DinomalyConfig, VitadConfig
from bearing_search.config.detectors.memory_banks import (
    PadimConfig,
    PatchCoreConfig,
    SubspaceConfig,
)
from bearing_search.config.digest import (
    FIRST_SCHEME,
    LATEST_SCHEME,
    config_digest,
    counted_settings,
    digest_of,
    setting_digest,
    stable_settings,
)
from bearing_search.config.encoder import EncoderConfig
from bearing_search.config.fields import OpenChoice, Setting, names_seen_by, settings_by_path
from bearing_search.config.finetuning import (
    FinetuneConfig,
    FinetuneSchedule,
    Head,
    SyntheticDefects,
)
from bearing_search.config.parsing import (
    config_paths,
    is_layer_set,
    no_such_setting,
    parse,
    plain_form,
    setting_type,
)
from bearing_search.config.postprocess import ImageScore, PostprocessConfig
from bearing_search.config.preprocess import (
    CircleConfig,
    ContrastConfig,
    EllipseConfig,
    Geometry,
    PreprocessConfig,
)
from bearing_search.config.trial_config import (
    Fusion,
    ProtocolConfig,
    Scope,
    SplitConfig,
    TrialConfig,
    to_plain,
)

__all__ = [
    "DETECTORS",
    "FIRST_SCHEME",
    "LATEST_SCHEME",
    "AugmentConfig",
    "CircleConfig",
    "ContrastConfig",
    "DecoderConfig",
    "DetectorSpec",
    "DinomalyConfig",
    "EllipseConfig",
    "EncoderConfig",
    "FinetuneConfig",
    "FinetuneSchedule",
    "Fusion",
    "Geometry",
    "Head",
    "ImageScore",
    "MapSpec",
    "OpenChoice",
    "PadimConfig",
    "PatchCoreConfig",
    "PostprocessConfig",
    "PreprocessConfig",
    "ProtocolConfig",
    "Scope",
    "Setting",
    "SplitConfig",
    "SubspaceConfig",
    "SyntheticDefects",
    "TrialConfig",
    "VitadConfig",
    "config_digest",
    "config_paths",
    "counted_settings",
    "digest_of",
    "is_layer_set",
    "names_seen_by",
    "no_such_setting",
    "parse",
    "plain_form",
    "setting_digest",
    "setting_type",
    "settings_by_path",
    "stable_settings",
    "to_plain",
]
