"""The trial for workers: nothing heavy is imported before it runs.

The number of threads must be in the environment before torch is loaded.
"""

from collections.abc import Iterator

from bearing_search.config import TrialConfig
from bearing_search.measurement import Measurement, TrialContext


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """`trial.run_trial`, loaded when it is called."""
    from bearing_search import trial

    return trial.run_trial(config, context)
