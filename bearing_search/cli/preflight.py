"""What is refused before anything starts: broken installations, data, weights, blocks.

torch is loaded in a short-lived process of its own, so that the driver stays small.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.progress import Progress

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.samples import Sample, read_levels, read_mask
from bearing_search.data.split import Fold, folds_of_parts
from bearing_search.errors import DataError, ResourceError
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.worker.plugin_tables import PluginTables, plugin_tables


def check_installation() -> None:
    """Refuse a CPU-only torch beside a torchvision of another build: timm could not be imported.

    Raises:
        ResourceError: saying how to mend it.
    """
    try:
        torch, torchvision = version("torch"), version("torchvision")
    except PackageNotFoundError as error:
        raise ResourceError(f"{error.name} is not installed; run `pip install .` again.") from None
    if torch.endswith("+cpu") and not torchvision.endswith("+cpu"):
        raise ResourceError(
            f"torch {torch} is a CPU-only build, torchvision {torchvision} is not, so that timm "
            "cannot be imported. Install both from one place: "
            "`pip uninstall -y torch torchvision`, then `pip install -c constraints.txt .`"
        )


def edge_configs(space: SearchSpace) -> list[TrialConfig]:
    """Trial 0 and the extremes of every parameter: what must be possible before a sweep starts."""
    tried = [space.default_suggestion()]
    for path in space.parameters:
        tried += space.extremes(path)
    return [space.trial(suggestion) for suggestion in tried]


def check_models(configs: Sequence[TrialConfig]) -> str:
    """Load every encoder that the configs name, with its weights, and look for their blocks.

    Returns:
        sha256 of the first config's weights.

    Raises:
        ConfigError: unknown encoder, wrong input size, a block that the encoder does not have, a
            plug-in that cannot be sent to another process.
        WeightsError: weights missing, unreachable, or another model's.
        ResourceError: torch and torchvision do not belong together.
    """
    check_installation()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_load_all, list(configs), plugin_tables()).result()


def check_folds(data_set: DataSet, config: TrialConfig) -> dict[str, list[Fold]]:
    """The folds of every part of a trial.

    Raises:
        DataError: a part lacks training samples, or has too few groups for its folds.
    """
    parts = data_set.chosen_parts(config.parts)
    return folds_of_parts({part: data_set.samples("train", part) for part in parts}, config)


def check_images(samples: Sequence[Sample], console: Console) -> None:
    """Read every image and mask once: a broken file is found now, not hours later.

    Raises:
        DataError: naming the first broken sample, and how many there are.
    """
    problems = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        for sample in bars.track(samples, description="reading the images"):
            try:
                levels = read_levels(sample)
                read_mask(sample, levels[0].shape[:2])
            except DataError as error:
                problems.append(str(error))
    if problems:
        more = f" ({len(problems)} such samples)" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)


def _load_all(configs: Sequence[TrialConfig], tables: PluginTables) -> str:
    tables.install()
    # torch: this process only
    from bearing_search.training.backbone import check_backbone, load_backbone

    encoders = {}
    for config in configs:
        if config.encoder not in encoders:
            encoders[config.encoder] = load_backbone(config)
        check_backbone(encoders[config.encoder], config)
    return str(encoders[configs[0].encoder].weights_sha256)
