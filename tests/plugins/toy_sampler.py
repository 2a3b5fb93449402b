"""A sampler that the package does not know: the lowest value of everything, each integer once."""

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.study.samplers import SAMPLERS, SamplerSpec


class LowestSampler(BaseSampler):
    """Draws the lowest value, and of integers the lowest that no trial has."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        match param_distribution:
            case CategoricalDistribution():
                return param_distribution.choices[0]
            case IntDistribution(low=low, high=high, step=step):
                drawn = {one.params.get(param_name) for one in study.get_trials(deepcopy=False)}
                return next(value for value in range(low, high + 1, step) if value not in drawn)
            case FloatDistribution(low=low):
                return low
            case _:
                raise AssertionError(f"no such distribution in a space: {param_distribution}")


def build(space: SearchSpace, seed: int) -> LowestSampler:
    return LowestSampler()


SAMPLERS["lowest"] = SamplerSpec(build=build, multi_objective="ignored")
