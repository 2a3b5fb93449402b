"""The table of samplers: how each one is built, what it needs and what it supports.

A new sampler is one entry of `SAMPLERS`, added here or by any module that is imported before the
sweep is created or resumed. Optuna is imported only when a sampler is built, so that the command
line can list samplers without it.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.search_space.parameters import FloatParameter, IntParameter
from bearing_search.search_space.space import SearchSpace

if TYPE_CHECKING:
    import optuna

NSGA_POPULATION = 12
"""Trials per generation; Optuna's default of 50 would be nearly all of a sweep of 60 trials."""

Handling = Literal["used", "ignored", "refused"]
"""How a sampler handles a feature of a space. `used`: its draws depend on it; `ignored`: they do
not, but the space is accepted; `refused`: a sweep over such a space is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec:
    """An entry of `SAMPLERS`; features that it does not mention are refused."""

    build: Callable[[SearchSpace, int], "optuna.samplers.BaseSampler"]
    """Builds the sampler from the space and a seed; called once per session."""

    is_exhaustive: bool = False
    """Whether every point of the space is enqueued and run once, which also sets the number of
    trials; the sampler itself is then never asked."""

    package: str = ""
    """Package that it needs besides Optuna; empty: none."""

    install: str = ""
    """Command that installs the package."""

    multi_objective: Handling = "refused"
    """Objectives after the first."""

    constraints: Handling = "refused"
    """Constraint violations of the trials."""

    conditional: Handling = "refused"
    """Parameters with conditions; `ignored`: they are drawn uniformly, regardless of scores."""

    min_numeric: int = 0
    """Minimum number of numeric parameters without conditions that it needs."""


def _tpe(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import TPESampler

    # group: one model for each group of parameters that vary together
    return TPESampler(seed=seed, group=bool(space.conditions))


def _random(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _gp(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed)


def _cma_es(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _nsga_ii(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=NSGA_POPULATION)


SAMPLERS: dict[str, SamplerSpec] = {
    "tpe": SamplerSpec(build=_tpe, multi_objective="used", constraints="used", conditional="used"),
    "random": SamplerSpec(
        build=_random, multi_objective="ignored", constraints="ignored", conditional="ignored"
    ),
    "gp": SamplerSpec(
        build=_gp,
        package="torch",
        install="pip install torch",
        multi_objective="used",
        constraints="used",
        conditional="ignored",
    ),
    "cma-es": SamplerSpec(
        build=_cma_es,
        package="cmaes",
        install="pip install 'cmaes>=0.12'",
        conditional="ignored",
        min_numeric=2,
    ),
    "nsga-ii": SamplerSpec(
        build=_nsga_ii, multi_objective="used", constraints="used", conditional="ignored"
    ),
    "grid": SamplerSpec(
        build=_random,
        is_exhaustive=True,
        multi_objective="ignored",
        constraints="ignored",
        conditional="ignored",
    ),
}
"""Samplers by their name in `--sampler` and sweep.json, in the order of the command's help."""


def sampler_spec(name: str) -> SamplerSpec:
    """The entry of a sampler.

    Raises:
        ConfigError: there is no sampler of that name.
    """
    if name not in SAMPLERS:
        raise ConfigError(
            f"unknown sampler {name!r}; choose one of {', '.join(SAMPLERS)}, or first import the "
            "module that adds it to SAMPLERS"
        )
    return SAMPLERS[name]


def make_sampler(name: str, seed: int, space: SearchSpace) -> "optuna.samplers.BaseSampler":
    """Build the sampler for one session.

    Raises:
        ConfigError: there is no sampler of that name.
    """
    spec = sampler_spec(name)
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return spec.build(space, seed)


def check_sampler(name: str, space: SearchSpace) -> None:
    """Refuse a sampler that does not support the space.

    Raises:
        ResourceError: the package that it needs is not installed.
        ConfigError: there is no sampler of that name, or it does not support the parameters,
            objectives or constraints of the space.
    """
    spec = sampler_spec(name)
    if spec.package and find_spec(spec.package) is None:
        raise ResourceError(f"the sampler {name} needs the package {spec.package}: {spec.install}")
    objective_spec = space.objective_spec
    if objective_spec.others and spec.multi_objective == "refused":
        fit = [n for n, other in SAMPLERS.items() if other.multi_objective == "used"]
        _refuse(name, f"{len(objective_spec.objectives)} objectives", fit)
    if objective_spec.constraints and spec.constraints == "refused":
        fit = [n for n, other in SAMPLERS.items() if other.constraints == "used"]
        _refuse(name, "constraints", fit)
    if space.conditions and spec.conditional == "refused":
        fit = [n for n, other in SAMPLERS.items() if other.conditional == "used"]
        _refuse(name, "conditional parameters", fit)
    numeric = [
        path
        for path, parameter in space.parameters.items()
        if isinstance(parameter, IntParameter | FloatParameter) and path not in space.conditions
    ]
    if len(numeric) < spec.min_numeric:
        raise ConfigError(
            f"the sampler {name} needs at least {spec.min_numeric} int, float or log parameters "
            f"without conditions; the space has {len(numeric)}, and the others would be drawn at "
            "random. Use tpe"
        )


def _refuse(name: str, what: str, fit: list[str]) -> None:
    raise ConfigError(
        f"the space has {what}, which the sampler {name} does not support; use one of "
        f"{', '.join(fit)}"
    )
