"""The runtime is for machines that have neither torch nor what a search needs."""

import json
import subprocess
import sys

ABSENT = {"torch", "timm", "ray", "optuna", "mlflow", "pandas", "matplotlib", "scipy", "rich"}


def test_importing_the_runtime_loads_what_a_verdict_needs_and_no_more():
    code = (
        "from bearing_search.runtime import load_detector\n"
        "import json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(json.loads(done.stdout))
    assert {"numpy", "cv2", "pydantic"} <= found
    assert found.isdisjoint(ABSENT | {"onnxruntime", "openvino", "onnx"})
