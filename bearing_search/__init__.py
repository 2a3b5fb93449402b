"""Finds the best settings for detecting dents on roller-bearing inner rings, and uses them.

The Python API. Nothing heavy is imported before a name is used:

    import bearing_search

    sweep = bearing_search.run_search("demo", "demo", trials=4, name="first")
    sweep.trials

"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bearing_search.api.check import check_data as check_data
    from bearing_search.api.search import run_search as run_search
    from bearing_search.api.sweep import Sweep as Sweep
    from bearing_search.api.sweep import open_sweep as open_sweep
    from bearing_search.config import TrialConfig as TrialConfig
    from bearing_search.data.dataset import load_data_set as load_data_set
    from bearing_search.data.importing.import_data_set import import_data_set as import_data_set
    from bearing_search.drift_checks.report import drift as drift
    from bearing_search.errors import BearingSearchError as BearingSearchError
    from bearing_search.export.bundle_check import check_bundle as check_bundle
    from bearing_search.measurement import Measurement as Measurement
    from bearing_search.measurement import TrialContext as TrialContext
    from bearing_search.prediction.judging import predict as predict
    from bearing_search.runtime.detector import Detector as Detector
    from bearing_search.runtime.detector import load_detector as load_detector
    from bearing_search.runtime.verdict import Verdict as Verdict
    from bearing_search.search_space.space import SearchSpace as SearchSpace
    from bearing_search.search_space.yaml_file import load_search_space as load_search_space
    from bearing_search.trial import run_trial as run_trial

    __version__: str

_MODULES = {
    "BearingSearchError": "bearing_search.errors",
    "Detector": "bearing_search.runtime.detector",
    "Measurement": "bearing_search.measurement",
    "SearchSpace": "bearing_search.search_space.space",
    "Sweep": "bearing_search.api.sweep",
    "TrialConfig": "bearing_search.config",
    "TrialContext": "bearing_search.measurement",
    "Verdict": "bearing_search.runtime.verdict",
    "check_bundle": "bearing_search.export.bundle_check",
    "check_data": "bearing_search.api.check",
    "drift": "bearing_search.drift_checks.report",
    "import_data_set": "bearing_search.data.importing.import_data_set",
    "load_data_set": "bearing_search.data.dataset",
    "load_detector": "bearing_search.runtime.detector",
    "load_search_space": "bearing_search.search_space.yaml_file",
    "open_sweep": "bearing_search.api.sweep",
    "predict": "bearing_search.prediction.judging",
    "run_search": "bearing_search.api.search",
    "run_trial": "bearing_search.trial",
}
"""Public name -> module that defines it."""

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used (PEP 562).

    Raises:
        AttributeError: there is no such name.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("bearing_search")
    if name in _MODULES:
        found = getattr(import_module(_MODULES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
