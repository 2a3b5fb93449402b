"""Checks that a sweep's record fits its search space, before anything is written."""

from dataclasses import replace

from bearing_search.errors import ConfigError
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.study.grid import grid_points
from bearing_search.sweep.study.pruners import pruner_spec
from bearing_search.sweep.study.samplers import check_sampler, sampler_spec


def check_objectives(record: SweepRecord, space: SearchSpace) -> None:
    """Refuse a pruner, task or stopping rule that does not support the space's objectives.

    Raises:
        ConfigError: they do not go together; names both.
    """
    objective_spec = space.objective_spec
    is_exhaustive = sampler_spec(record.sampler).is_exhaustive
    prunes = pruner_spec(record.pruner).prunes
    if record.task == "reproduction" and (prunes or not is_exhaustive):
        raise ConfigError(
            f"a reproduction runs every point to the end; sampler is {record.sampler} and pruner "
            f"{record.pruner}, expected grid and none"
        )
    if record.task == "reproduction" and objective_spec != ObjectiveSpec():
        raise ConfigError(
            f"{record.name}: a reproduction scores every point and selects none; leave out "
            "objectives and constraints"
        )
    if record.stops_when_converged and (objective_spec.others or is_exhaustive):
        what = "a grid runs every point" if is_exhaustive else "it has several objectives"
        raise ConfigError(
            f"{record.name}: {what}, so it cannot use --stop-when-converged; leave that out"
        )
    if objective_spec.others and prunes:
        count = len(objective_spec.objectives)
        raise ConfigError(
            f"{record.name}: the space has {count} objectives, and pruners support only one; "
            f"pruner is {record.pruner}, expected none"
        )


def validated(record: SweepRecord, space: SearchSpace) -> SweepRecord:
    """Check a record against its space; returns it, with a grid's number of points as its target.

    Raises:
        ConfigError: sampler or pruner is unknown; the sampler does not support the parameters, or
            sampler or pruner do not support the objectives and constraints; the space varies the
            seed that an audit or finalists would set; there is no target; the sweep is a grid, but
            its space has no finite number of points, or not as many as the target.
        ResourceError: the sampler's package is not installed.
    """
    check_sampler(record.sampler, space)
    check_objectives(record, space)
    if record.seeds.num_runs and "seed" in space.varied_settings:
        raise ConfigError(
            f"{record.name}: the space varies seed, so an audit or finalists cannot set it as well"
        )
    if not sampler_spec(record.sampler).is_exhaustive:
        if record.target < 1:
            raise ConfigError(f"trials is {record.target}; at least 1")
        return record
    size = len(grid_points(space, record.digest_scheme))
    if record.target not in (0, size):
        raise ConfigError(
            f"{record.name}: its grid has {size} points, all of which are run, but trials is "
            f"{record.target}; leave it out"
        )
    return replace(record, target=size)
