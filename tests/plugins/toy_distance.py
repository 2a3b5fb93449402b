"""What the toy detector computes."""

import torch
from toy_detector import ToyConfig

from bearing_search.models.encoders.tokens import on_grid, patch_tokens
from bearing_search.training.detection.detection import Detection
from bearing_search.training.features import FeatureReader, NormalFeatures


class ToyDetector:
    failure_hint = "Take other weights."

    def __init__(self, encoder, block, normals, device):
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        reader = FeatureReader(self.encoder, [(block,)], is_rounded=False, device=device)
        self.features = NormalFeatures(reader, normals, is_static=True)
        self.mean = torch.empty(0)

    def iterate(self, number):
        self.mean = self._patches(self.features.of_all()).mean(dim=(0, 1))
        return {"mean_norm": float(self.mean.norm())}

    def detect(self, pixels, read=None):
        found = self.features.feature_reader.of_all(pixels) if read is None else read
        distances = (self._patches(found) - self.mean).norm(dim=-1)
        return Detection(
            distances=on_grid(distances[None], self.encoder.grid).numpy(), own_scores=None
        )

    def state(self, *, is_finished=False):
        return {"mean": self.mean} if is_finished else {}

    def load(self, state):
        self.mean = state.get("mean", self.mean)

    def _patches(self, read):
        (tokens,) = read
        return patch_tokens(tokens.cpu().float(), self.encoder)


def build(encoder, config, *, normals, rotation_deg, device):
    return ToyDetector(encoder, config.section_of(ToyConfig).block, normals, device)
