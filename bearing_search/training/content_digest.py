"""Digests of a stage's inputs (pixels, weights), and the name of its compute environment."""

from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version

import cv2
import numpy as np
import torch

from bearing_search.filesystem.digest import sha256_of_arrays
from bearing_search.training.backbone import Backbone
from bearing_search.training.images import Images
from bearing_search.training.precision import precision_name

_KEY_NAMES = {"is_rotatable": "may_turn"}
"""Field of `Images` -> its former name, which stage cache keys still use."""


def images_digest(images: Images) -> str:
    """Digest of a set of prepared images, including their order."""
    named = ((_KEY_NAMES.get(f.name, f.name), getattr(images, f.name)) for f in fields(images))
    return _digest((name, array) for name, array in named if array is not None)


def array_digest(array: np.ndarray) -> str:
    """Digest of an array's shape, dtype and content."""
    return _digest([("array", array)])


def encoder_digest(encoder: Backbone) -> str:
    """Digest of an encoder's weights; how they were trained does not matter."""
    weights = encoder.state_dict().items()
    return _digest((name, weight.detach().cpu().numpy()) for name, weight in weights)


def compute_name(device: str) -> str:
    """Compute environment that can change the last bits: device type, precision, libraries."""
    libraries = f"torch {torch.__version__} timm {version('timm')} cv2 {cv2.__version__}"
    return f"{torch.device(device).type} {precision_name(device)} {libraries}"


def _digest(named: Iterable[tuple[str, np.ndarray]]) -> str:
    """Digest (32 hex digits) of arrays and their names."""
    contiguous = ((name, np.ascontiguousarray(array)) for name, array in named)  # a scalar: (1,)
    return sha256_of_arrays((f"{n} {a.dtype} {a.shape} ", a) for n, a in contiguous)[:32]
