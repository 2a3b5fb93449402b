"""What every decoder must do. Another decoder joins by a subclass that builds it."""

from typing import Literal

import pytest
import torch

from bearing_search.config import DinomalyConfig, VitadConfig
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.detectors.vitad import VitadDecoder
from bearing_search.training.features import FeatureReader

PATCHES = 16
"""Of the tiny encoder's input."""


def gathered(decoder, encoder, images):
    reader = FeatureReader(encoder, decoder.reads, is_rounded=False, device="cpu")
    return torch.stack(reader.of_input(images))


class DecoderContract:
    # what a subclass says about its decoder; the contract itself is never collected
    def decoder(self, encoder):
        raise NotImplementedError  # a subclass that forgets it must fail, not pass on None

    @pytest.fixture
    def made(self, tiny_encoder):
        torch.manual_seed(0)
        return self.decoder(tiny_encoder)

    @pytest.fixture
    def encoded(self, made, tiny_encoder, images):
        return gathered(made, tiny_encoder, images)

    def loss(self, decoder, encoded):
        outputs = decoder(encoded)[:, :, -PATCHES:]
        return decoder.loss(decoder.targets(encoded)[:, :, -PATCHES:], outputs, iteration=2)

    @pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
    def test_answers_have_the_shape_of_their_targets(self, made, encoded, precision):
        with torch.autocast("cpu", precision, enabled=precision is not torch.float32):
            outputs = made(encoded.to(precision))

        expected = made.targets(encoded)[:, :, -outputs.shape[2] :]
        assert outputs.shape == expected.shape
        assert outputs.shape[2] >= PATCHES
        assert outputs.dtype is torch.float32  # the residual stream

    def test_a_gradient_reaches_every_parameter(self, made, encoded):
        self.loss(made, encoded).backward()

        silent = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
        assert silent == []

    def test_no_gradient_reaches_the_encoder(self, made, tiny_encoder, images):
        self.loss(made, gathered(made, tiny_encoder, images)).backward()

        assert all(parameter.grad is None for parameter in tiny_encoder.parameters())

    def test_its_state_makes_the_same_decoder_again(self, made, tiny_encoder, encoded):
        other = self.decoder(tiny_encoder)
        assert not torch.equal(other.eval()(encoded), made.eval()(encoded))

        other.load_state_dict(made.state_dict())

        assert torch.equal(other.eval()(encoded), made.eval()(encoded))

    def test_it_learns_to_answer_one_batch(self, made, encoded):
        optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
        losses = []
        for _ in range(60):
            loss = self.loss(made, encoded)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

        assert losses[-1] < losses[0] / 2

    def test_autocast_stays_near_fp32(self, made, encoded):
        exact = made.eval()(encoded)
        with torch.autocast("cpu", torch.bfloat16):
            low = made(encoded)

        # bf16 has 8 bits: four blocks of products in it
        assert (low - exact).norm() < 0.02 * exact.norm()

    @pytest.mark.gpu
    def test_a_gpu_gives_what_the_cpu_gives(self, made, encoded):
        expected = made.eval()(encoded)
        found = made.cuda()(encoded.cuda())
        with torch.autocast("cuda", torch.bfloat16):
            low = made(encoded.cuda())

        assert torch.allclose(found.cpu(), expected, atol=1e-5)
        assert (low.cpu() - expected).norm() < 0.02 * expected.norm()


class TestDinomaly(DecoderContract):
    CONFIG = DinomalyConfig(target_blocks=(1, 2, 3, 4), decoder_blocks=4, mining_ramp_iters=4)

    def decoder(self, encoder):
        return DinomalyDecoder(encoder.dim, encoder.num_heads, self.CONFIG)


class ViTADContract(DecoderContract):
    MAPPING: Literal["ader", "dinomaly"]

    def decoder(self, encoder):
        config = VitadConfig(
            teacher_blocks=(1, 2, 3), neck_block=4, student_blocks=4, mapping=self.MAPPING
        )
        return VitadDecoder(encoder.dim, encoder.num_heads, PATCHES, config)


class TestViTADAsInItsOfficialCode(ViTADContract):
    MAPPING = "ader"


class TestViTADWithDinomalysMapping(ViTADContract):
    MAPPING = "dinomaly"
