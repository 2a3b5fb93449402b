"""The callback that Ray Tune calls at every step of its event loop."""

from typing import Any

from ray.tune.progress_reporter import TrialProgressCallback

from bearing_search.errors import ResourceError
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.execution.ray_health import RayHealthCheck
from bearing_search.sweep.remote.driver_sync import DriverSync


class RayDeath(BaseException):  # noqa: N818: no error of the program's
    """Ends `Tuner.fit` at once: after an `Exception` it would tidy up, and wait for a dead Ray."""


class PollingCallback(TrialProgressCallback):
    """Called by Ray Tune several times a second: checks Ray, ends stalled or timed-out trials.

    It replaces the default callback, which prints every trial's end even with `verbose=0`.
    """

    def __init__(
        self, controller: SweepController, folder_sync: DriverSync, ray_health: RayHealthCheck
    ) -> None:
        super().__init__()
        self._controller = controller
        self._folder_sync = folder_sync
        self._ray_health = ray_health

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Check on Ray and the running trials; an error raised here ends `Tuner.fit`.

        Raises:
            RayDeath: Ray has died; its text says how.
        """
        try:
            self._ray_health.check()
        except ResourceError as error:
            raise RayDeath(str(error)) from None
        self._controller.poll()
        self._folder_sync.poll()

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Print nothing."""

    on_trial_complete = on_trial_error = on_trial_result

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; the ledger's connection must not be pickled
