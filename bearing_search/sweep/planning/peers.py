"""Polls what the other drivers of a shared sweep have done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, Trial, TrialState

from bearing_search.sweep.locking.drivers import Drivers
from bearing_search.sweep.planning.config_index import TrialKey
from bearing_search.sweep.planning.shared_prefix import SharedPrefix
from bearing_search.sweep.study.study import SweepStudy
from bearing_search.sweep.study.trial_records import is_trial, purpose_of
from bearing_search.trial_history.records import COUNTED

DRIVER = "driver"
"""User attribute of a trial: name of the driver that is running it, or ran it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUpdate:
    """Changes since the last poll."""

    ended: Sequence[FrozenTrial] = ()
    """Other drivers' trials that have ended, by number."""

    orphans: Sequence[Trial] = ()
    """RUNNING trials of dead drivers, which this driver has taken over."""


class PeerDrivers:
    """The other drivers' trials. Poll only in a turn.

    Args:
        study: study of the sweep.
        drivers: this process among the drivers of the sweep.
    """

    def __init__(self, study: SweepStudy, drivers: Drivers) -> None:
        self._study = study
        self._drivers = drivers
        # trials that have ended before are known already
        self._heard = {trial.number for trial in study.frozen_trials() if trial.state.is_finished()}
        self._running: Sequence[FrozenTrial] = ()

    @property
    def running(self) -> Mapping[int, TrialKey]:
        """Number -> key of each trial that another driver was running at the last poll."""
        return {
            trial.number: TrialKey(
                trial.user_attrs.get("digest", ""),
                trial.user_attrs.get("identity", ""),
                SharedPrefix(*trial.user_attrs.get("prefix", ())),
            )
            for trial in self._running
        }

    @property
    def num_counted(self) -> int:
        """Number of those trials that count towards the target."""
        return sum(purpose_of(trial) in COUNTED for trial in self._running)

    def claim(self, trial: Trial) -> None:
        """Record in the study that this driver runs a trial."""
        if self._drivers.is_shared:
            self._study.set_attrs(trial, {DRIVER: self._drivers.name})

    def poll(self) -> PeerUpdate:
        """Return what is new, after taking over the trials of dead drivers."""
        if not self._drivers.is_shared:
            return PeerUpdate()
        alive = self._drivers.peer_names()
        trials = [trial for trial in self._study.frozen_trials() if self._is_of_others(trial)]
        ended = [trial for trial in trials if trial.state.is_finished()]
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self._heard |= {trial.number for trial in ended}
        self._running = [trial for trial in running if trial.user_attrs.get(DRIVER) in alive]
        lost = [trial for trial in running if trial.user_attrs.get(DRIVER) not in alive]
        self._drivers.end_sessions({trial.user_attrs.get(DRIVER, "") for trial in lost} - {""})
        orphans = self._study.to_resume(lost)
        for orphan in orphans:
            self.claim(orphan)
        return PeerUpdate(ended=[trial for trial in ended if is_trial(trial)], orphans=orphans)

    def _is_of_others(self, trial: FrozenTrial) -> bool:
        is_own = trial.user_attrs.get(DRIVER) == self._drivers.name
        return not is_own and trial.number not in self._heard
