"""Uses an exported detector: levels of a sample in, verdicts out. No torch, ray, optuna or mlflow.

from bearing_search.runtime import load_detector

detector = load_detector("first-detector")
detector.judge(["s1_b0.png", "s1_b1.png", "s1_b2.png"], "LC").word
"""

from bearing_search.runtime.detector import Detector, load_detector
from bearing_search.runtime.verdict import SampleLevels, Thresholds, Verdict

__all__ = ["Detector", "SampleLevels", "Thresholds", "Verdict", "load_detector"]
