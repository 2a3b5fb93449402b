import pytest
import torch

from bearing_search.config import EncoderConfig
from bearing_search.models.encoders.attention import use_quick_attention
from bearing_search.models.encoders.encoder import Encoder, import_timm, load_encoder


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny_vit():
    # 4 x 4 patches, one class and two register tokens, layer scale: DINOv2-reg in small.
    timm = import_timm()
    torch.manual_seed(0)
    vit = timm.models.vision_transformer.VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=16,
        depth=4,
        num_heads=2,
        num_classes=0,
        reg_tokens=2,
        no_embed_class=True,
        init_values=0.5,
    ).eval()
    with torch.no_grad():  # timm starts biases at 0, which would hide a swapped one
        for parameter in vit.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return vit


@pytest.fixture
def tiny_encoder(tiny_vit):
    use_quick_attention(tiny_vit)
    return Encoder(tiny_vit, name="tiny", weights_sha256="random-0").eval()


@pytest.fixture(scope="session")
def smallest_encoder():
    # the smallest vision transformer that timm has a name for
    return load_encoder(EncoderConfig(name="test_vit", weights="random", input_px=64))


@pytest.fixture
def images():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
