"""Speed of our implementations in `models/` against the usual ones, forward and backward, on CPU.

python benchmarks/model.py [--threads 1]
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from bearing_search.config import DecoderConfig, DinomalyConfig, EncoderConfig
from bearing_search.models.detectors.decoder_losses import dinomaly_loss
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.encoders.attention import attend
from bearing_search.models.encoders.encoder import import_timm, load_encoder
from bearing_search.models.finetuning.losses import perceptual_loss
from bearing_search.models.optim import stable_adamw

DIM, HEADS = 384, 6


def milliseconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Shortest of several runs after a warm-up run."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def show(what: str, ours: Callable[[], object], usual: Callable[[], object]) -> None:
    """Print a line: ours, the usual one, their ratio."""
    quick, slow = milliseconds(ours), milliseconds(usual)
    print(f"{what:48} {quick:8.1f} ms {slow:8.1f} ms {slow / quick:6.2f} x")


def attention(length: int, batch: int, dtype: torch.dtype) -> None:
    """Our attention against PyTorch's fused attention."""
    q, k, v = (
        torch.randn(batch, HEADS, length, DIM // HEADS, dtype=dtype, requires_grad=True)
        for _ in range(3)
    )
    name = f"attention, {length} tokens, batch {batch}, {str(dtype).removeprefix('torch.')}"
    show(
        name,
        lambda: attend(q, k, v).square().sum().backward(),
        lambda: F.scaled_dot_product_attention(q, k, v).square().sum().backward(),
    )


def encoder_step() -> None:
    """A fine-tuning step of our encoder under autocast, against timm's attention."""
    config = EncoderConfig(name="vit_small_patch14_dinov2.lvd142m", weights="random", input_px=224)
    ours = load_encoder(config)
    usual = import_timm().create_model(config.name, img_size=224, num_classes=0)
    images = torch.randn(8, 3, 224, 224)

    def train(call: Callable[[], torch.Tensor]) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = call().square().mean()
        loss.backward()

    show(
        "encoder ViT-S/14, 224 px, batch 8, bf16",
        lambda: train(lambda: ours(images, (), final=True).final),
        lambda: train(lambda: usual.forward_features(images)),
    )


def mined_loss() -> None:
    """Our loss against a gradient hook on channel-first maps, as in the official code."""
    targets = torch.randn(2, 8, 256, DIM)
    outputs = torch.randn(2, 8, 256, DIM, requires_grad=True)

    def hooked() -> None:
        losses = []
        for target, output in zip(targets, outputs, strict=True):
            maps = output.transpose(1, 2).contiguous()
            reference = target.transpose(1, 2).contiguous()
            distance = 1 - F.cosine_similarity(reference, maps).detach()
            is_easy = (distance < distance.quantile(0.5)).unsqueeze(1).expand_as(maps)
            maps.register_hook(lambda gradient, easy=is_easy: gradient.where(~easy, gradient / 10))
            losses.append(1 - F.cosine_similarity(reference.flatten(1), maps.flatten(1)).mean())
        torch.stack(losses).mean().backward()

    show(
        "Dinomaly loss with hard mining, batch 8",
        lambda: dinomaly_loss(targets, outputs, mining_share=0.5, mining_factor=0.1).backward(),
        hooked,
    )


def decoder_step() -> None:
    """A complete decoder training step in bf16, against fp32."""
    decoder = DinomalyDecoder(DIM, HEADS, DinomalyConfig())
    optimizer = stable_adamw(decoder.parameters(), DecoderConfig())
    targets = torch.randn(2, 8, 257, DIM)

    def step(is_low: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_low):
            outputs = decoder(targets)
        optimizer.zero_grad()
        dinomaly_loss(targets, outputs, mining_share=0.5, mining_factor=0.1).backward()
        optimizer.step()

    show("decoder step, 257 tokens, batch 8, bf16 | fp32", lambda: step(True), lambda: step(False))


def similarity() -> None:
    """The perceptual loss with band matrices, against depthwise convolutions."""
    ours = torch.randn(8, DIM, 16, 16, requires_grad=True)
    frozen = torch.randn(8, DIM, 16, 16)
    kernel = torch.full((DIM, 1, 7, 7), 1 / 49)

    def depthwise() -> None:
        scale, centre = torch.std_mean(frozen, dim=(0, 2, 3), keepdim=True)
        first, second = (ours - centre) / scale, (frozen - centre) / scale
        stacked = torch.cat([first, second, first * first, second * second, first * second])
        mean1, mean2, square1, square2, product = F.conv2d(stacked, kernel, groups=DIM).chunk(5)
        covariance = 2 * (product - mean1 * mean2) + 0.03
        variances = square1 - mean1**2 + square2 - mean2**2 + 0.03
        luminance = (2 * mean1 * mean2 + 0.004) / (mean1**2 + mean2**2 + 0.004)
        (1 - (luminance * covariance / variances).mean()).backward()

    show(
        "SSIM of one layer, 16 x 16 tokens, batch 8",
        lambda: perceptual_loss([ours], [frozen], window=7).backward(),
        depthwise,
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(0)
    print(f"{'':48} {'here':>11} {'usual':>11}")
    attention(257, 8, torch.bfloat16)
    attention(1029, 2, torch.bfloat16)
    attention(257, 8, torch.float32)
    encoder_step()
    decoder_step()
    mined_loss()
    similarity()


if __name__ == "__main__":
    main()
