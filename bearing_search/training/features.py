"""Features of a frozen encoder, computed on demand or read from the stage cache.

Features of a frozen encoder depend only on its weights and the pixels, not on a seed or on what is
trained on them. They are therefore a separate stage, with one cache entry per group of blocks,
shared by fine-tuning (which is regularised towards them) and detectors. Axis letters: n samples,
b batch, s side of the input in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bearing_search.filesystem.atomic import write_atomically
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.tokens import mean_tokens
from bearing_search.stage_cache.compute_time import Seconds, merged
from bearing_search.stage_cache.entry import ClaimLostError, Entry
from bearing_search.stage_cache.key import STAGES_VERSION, StageKey, stage_key
from bearing_search.training.backbone import Backbone
from bearing_search.training.content_digest import array_digest, compute_name
from bearing_search.training.images import Images, to_input
from bearing_search.training.microbatch import each_portion, portions
from bearing_search.training.precision import autocast, storage_dtype
from bearing_search.training.stage_runner import StageContext

Read = tuple[int, ...]
"""Transformer blocks whose mean tokens are read, or one layer of a convolutional network."""

Features = list[Float[Tensor, "n ..."]]
"""One tensor per `Read`, samples first: tokens with the prefix, or feature maps."""

PORTION = 16
"""Samples encoded at once."""

MAX_CACHED_BYTES = {"cpu": 2 * 2**30, "cuda": 2**28}
"""Larger features of a set of samples are not cached. A GPU computes features about as fast as a
disk reads them, so there only small ones are worth the space."""

_STOP_EVERY = 4 * PORTION
_FILE, _NAME = "features.safetensors", "features"


class FeatureReader:
    """Computes features of a frozen encoder.

    Args:
        encoder: moved to `device` and set to eval mode.
        reads: blocks or layers to read.
        is_rounded: whether features are rounded to the precision of the matrix products.
        device: device to compute on.
    """

    def __init__(
        self, encoder: Backbone, reads: Sequence[Read], *, is_rounded: bool, device: str
    ) -> None:
        self.encoder, self.reads = encoder.to(device).eval(), tuple(reads)
        self.is_rounded, self.device = is_rounded, device

    @torch.no_grad()
    def __call__(self, pixels: UInt8[np.ndarray, "b s s 3"]) -> Features:
        """Features of a batch of images, on the device."""
        return self.of_input(to_input(pixels, self.device))

    @torch.no_grad()
    def of_input(self, images: Float[Tensor, "b 3 s s"]) -> Features:
        """Features of normalised images, on the device."""
        wanted = sorted({block for read in self.reads for block in read})
        with autocast(self.device):
            output = self.encoder(images, wanted)
        if isinstance(self.encoder, Cnn):
            found: Features = [output[wanted.index(layer)] for (layer,) in self.reads]
        else:
            found = [mean_tokens([output.blocks[b] for b in read]) for read in self.reads]
        return [f.to(storage_dtype(self.device)) for f in found] if self.is_rounded else found

    def reading(self, reads: Sequence[Read]) -> "FeatureReader":
        """A reader of other blocks or layers of the same encoder."""
        return FeatureReader(self.encoder, reads, is_rounded=self.is_rounded, device=self.device)

    def of_all(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> Features:
        """Features of any number of samples, in main memory.

        Raises:
            TrialFailedError: a single sample does not fit into the device's memory.
        """

        def of(part: slice) -> Features:
            return [f.cpu() for f in self(pixels[part])]

        found = each_portion(len(pixels), of, at_most=PORTION, what="features")
        return [torch.cat(batches) for batches in zip(*found, strict=True)]


def read_part(
    feature_reader: FeatureReader,
    pixels: UInt8[np.ndarray, "_ s s 3"],
    part: slice,
    known: list[Tensor] | None,
) -> Features:
    """Features of a slice of the samples: taken from `known`, or computed on the device if None."""
    return feature_reader(pixels[part]) if known is None else [features[part] for features in known]


class NormalFeatures:
    """A detector's features of its normal samples, computed on demand or supplied from the cache.

    Args:
        feature_reader: computes features, also of other samples.
        samples: the normal samples.
        is_static: whether the samples are never augmented, so that cached features can be used.
    """

    def __init__(self, feature_reader: FeatureReader, samples: Images, *, is_static: bool) -> None:
        self.feature_reader, self.samples, self.is_static = feature_reader, samples, is_static
        self.known: Features | None = None
        """Features of the samples, if supplied from the cache."""

    def of(self, part: slice) -> Features:
        """Features of a slice of the samples: in main memory if known, otherwise on the device."""
        return read_part(self.feature_reader, self.samples.pixels, part, self.known)

    def of_all(self) -> Features:
        """Features of all samples, in main memory."""
        return self.feature_reader.of_all(self.samples.pixels) if self.known is None else self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFeatures:
    """Features of a set of samples."""

    features: Features | None
    """None: too large to cache; computed whenever they are needed."""

    seconds: Seconds


NOT_CACHED = CachedFeatures(features=None, seconds={})


def cached_features(
    stage_context: StageContext,
    feature_reader: FeatureReader,
    content: str,
    pixels: UInt8[np.ndarray, "n s s 3"],
) -> CachedFeatures | None:
    """Features of samples, computed here or read from the cache; None if stopped.

    All missing features are computed in one pass.

    Args:
        content: digest of the encoder's weights.

    Raises:
        ClaimLostError: this process hung and another one took over its work.
        TrialFailedError: a single sample does not fit into the device's memory.
    """
    if not len(pixels) or _num_bytes(feature_reader, pixels) > _most_bytes(feature_reader.device):
        return NOT_CACHED
    keys = _keys(feature_reader, content, pixels)
    found: dict[Read, Tensor] = {}
    fresh: dict[Read, Tensor] = {}
    seconds: Seconds = {}
    for read, key in keys.items():
        with stage_context.claim(key) as entry:
            if entry is None:
                return None
            if not entry.is_done:
                if read not in fresh:
                    missing = [
                        r for r, k in keys.items() if r == read or stage_context.find(k) is None
                    ]
                    fresh |= _made(stage_context, entry, feature_reader.reading(missing), pixels)
                if read not in fresh:
                    return None
                _save(stage_context, entry, fresh[read])
            found[read] = safetensors.torch.load_file(entry.folder / _FILE)[_NAME]
            seconds = merged(seconds, {"features": entry.seconds})
    return CachedFeatures(features=[found[read] for read in feature_reader.reads], seconds=seconds)


def _made(
    stage_context: StageContext,
    entry: Entry,
    feature_reader: FeatureReader,
    pixels: UInt8[np.ndarray, "n s s 3"],
) -> dict[Read, Tensor]:
    """Features by `Read`; empty if stopped."""
    found = []
    for part in portions(len(pixels), _STOP_EVERY):
        if stage_context.should_stop():
            return {}
        if entry.is_lost:
            raise ClaimLostError(entry.key.name)
        found.append(feature_reader.of_all(pixels[part]))
    together = [torch.cat(several) for several in zip(*found, strict=True)]
    return dict(zip(feature_reader.reads, together, strict=True))


def _save(stage_context: StageContext, entry: Entry, features: Float[Tensor, "n ..."]) -> None:
    content = safetensors.torch.save({_NAME: features.contiguous()})
    stage_context.store.with_room(lambda: write_atomically(entry.folder / _FILE, content))
    stage_context.store.finish(entry)


def _keys(
    feature_reader: FeatureReader, content: str, pixels: UInt8[np.ndarray, "n s s 3"]
) -> dict[Read, StageKey]:
    inputs = {"encoder": content, "pixels": array_digest(pixels)}
    common = {"encoder": feature_reader.encoder.name, "is_rounded": feature_reader.is_rounded}
    return {
        read: stage_key(
            "features",
            settings=common | {"blocks": read},
            inputs=inputs,
            seed=0,  # nothing here is random
            compute=compute_name(feature_reader.device),
            version=STAGES_VERSION["encoder"],
        )
        for read in feature_reader.reads
    }


def _num_bytes(feature_reader: FeatureReader, pixels: UInt8[np.ndarray, "n s s 3"]) -> int:
    return len(pixels) * sum(
        f.numel() * f.element_size() for f in feature_reader.of_all(pixels[:1])
    )


def _most_bytes(device: str) -> int:
    return MAX_CACHED_BYTES["cpu" if torch.device(device).type == "cpu" else "cuda"]
