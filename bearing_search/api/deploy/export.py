"""Exports a setting of a sweep as a detector for use, without opening test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rich.console import Console

from bearing_search.analysis.operating.thresholds import FoldScores
from bearing_search.analysis.postprocess_settings import rendered
from bearing_search.api.deploy.contract_file import contract_thresholds
from bearing_search.api.evaluation import chosen_trial
from bearing_search.config import DETECTORS, FIRST_SCHEME, TrialConfig, config_digest, to_plain
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.data.fold_key import FoldKey
from bearing_search.data.readings import with_readings
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.filesystem.atomic import write_json
from bearing_search.measurement import TrialContext
from bearing_search.runtime.backends.protocol import checked_format
from bearing_search.runtime.schema import Format, Precision
from bearing_search.runtime.verdict import Thresholds
from bearing_search.session.comparison import refuse_incomparable
from bearing_search.session.in_process import chosen_device, follow, use_cores
from bearing_search.session.inputs import train_digest, with_bits
from bearing_search.session.postprocessing import tuned, with_postprocess
from bearing_search.session.preflight import check_installation
from bearing_search.session.terminal import terminal
from bearing_search.sweep.folder.changes import with_data
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.trial_history.records import trial_config

if TYPE_CHECKING:
    from bearing_search.export.bundle import Exported

NEEDS: Mapping[Format, tuple[str, ...]] = {
    "torch": (),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
"""Format -> modules that writing and comparing it needs."""


class ExportOptions(TypedDict, total=False):
    """Further options of `export`; each is a flag of the command as well."""

    out: str | Path
    """Folder to write. Default: in the sweep's folder `export`, named by trial and format."""

    format: Format
    """onnx (default), openvino or torch."""

    precision: Precision
    """fp32 (default); bf16 for openvino; int8 for onnx."""

    part: str
    """The only part. Default: all parts of the sweep."""

    thresholds: Mapping[str, Thresholds]
    """Part -> thresholds. Default: those of `threshold`; else at most 5 % false alarms, or the best
    F1."""

    device: str
    """Where a final training runs, if there is none yet: cpu, cuda, or auto (default)."""

    refit_changed_data: bool
    """Whether to go on although train has changed since the search. Default: False."""

    console: Console | None
    """Where progress is printed. Default: stdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Options of `export`: those of `ExportOptions`, and the trial."""

    trial: int | None = None
    """Number of the trial; None: the one to use."""

    out: str | Path = ""
    format: Format = "onnx"
    precision: Precision = "fp32"
    part: str = ""
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    device: str = "auto"
    refit_changed_data: bool = False
    console: Console | None = None


def export_detector(folder: SweepFolder, asked: ExportRequest) -> "Exported":
    """Write a setting of a sweep as a folder that `load_detector` loads.

    The weights are those that `evaluate` trained and calibrated, else of a final training on train
    alone, which is kept for the next export. Either way test is not opened.

    Raises:
        SweepError: no trial is complete, the named one is not, or train has changed.
        ConfigError: the folder exists, there is no such part, or the detector cannot be exported.
        BundleError: the format does not run in that precision.
        ParityError: the exported detector does not decide as the trained one; nothing is written.
        ResourceError: a package is missing.
    """
    console = asked.console or terminal()
    checked_format(asked.format, asked.precision)
    _require_packages(asked.format)
    refuse_incomparable([folder])
    number = chosen_trial(folder, asked.trial, console)
    out = _place(folder, number, asked)
    data_set = load_data_set(folder.data)
    folder = with_data(folder, train_digest(data_set), accepted=asked.refit_changed_data)
    settings = tuned(folder.root, number, console)
    config = with_bits(trial_config(folder.root, number), folder.record.bits)
    config = with_postprocess(config, settings)
    _require_exportable(config)
    data_set = with_readings(data_set, config, cache=folder.cache, known=folder.record.bits)
    _require_part(asked.part, data_set.chosen_parts(config.parts))
    check_installation()
    from bearing_search.api.deploy.provenance import provenance_of
    from bearing_search.export.bundle import BundlePlan, write_bundle
    from bearing_search.export.trained import open_trained  # torch: seconds

    use_cores()
    place, config = _training(folder, config, data_set, asked, console)
    trained = open_trained(place, config, data_set, cache=folder.cache, part=asked.part)
    folds: dict[str, list[FoldScores]] = {}
    for key, scored in fold_predictions(folder.trial_folder(number)).items():
        shown = rendered(scored, settings.applied)
        scores = FoldScores(
            scores=shown.image_scores, is_anomalous=shown.is_anomalous, groups=shown.groups
        )
        folds.setdefault(FoldKey.parse(key).part, []).append(scores)
    plan = BundlePlan(
        out=out,
        form=asked.format,
        precision=asked.precision,
        folds=folds,
        provenance=provenance_of(folder, number, (place, trained), console),
        contracts=contract_thresholds(folder, number, settings.applied, console),
        thresholds=asked.thresholds,
    )
    return write_bundle(trained, plan, console.print)


def _training(
    folder: SweepFolder,
    config: TrialConfig,
    data_set: DataSet,
    asked: ExportRequest,
    console: Console,
) -> tuple[Path, TrialConfig]:
    """Folder of a final training that is complete, and the config that it was trained with."""
    from bearing_search.training.folds.deployed_fold import has_weights
    from bearing_search.training.folds.final_plans import deployment_plans
    from bearing_search.trial import run_deployment

    train = data_set.samples("train")
    alone = replace(config, parts=(asked.part,))
    own = alone if asked.part and config.scope == "per_part" else config
    data = train_digest(data_set)
    for place in _known_trainings(folder, config, data):
        plans = deployment_plans(own, train)
        if all(has_weights(place / plan.key, config) for plan in plans):
            console.print(f"weights of {place.relative_to(folder.root)}")
            return place, own
    place = _kept_here(folder, own, data)
    context = TrialContext(
        data=folder.data,
        folder=place,
        cache=folder.cache,
        bits=folder.record.bits,
        shares_stages=False,  # so that the weights are kept here
        device=chosen_device(asked.device),
    )
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / "config.json", to_plain(own))
    console.print("final training on train, without test:")
    follow(run_deployment, own, context, console)
    return place, own


def _known_trainings(folder: SweepFolder, config: TrialConfig, data: str) -> Iterator[Path]:
    """Folders of calibrated final trainings of a config, the latest of `evaluate` first.

    Args:
        folder: of the sweep.
        config: that they were trained with.
        data: digest of train as it is now. If it has changed, `evaluate` may have trained before.
    """
    if data == folder.record.data_digest:
        looks = folder.root.glob(f"evaluate/look*-{_digest(config)}-calibrated*")
        number = len("look")
        yield from sorted(looks, key=lambda f: -int(f.name[number:].partition("-")[0]))
    yield _kept_here(folder, config, data)


def _kept_here(folder: SweepFolder, config: TrialConfig, data: str) -> Path:
    return folder.root / "export" / f"training-{data[:8]}-{_digest(config)}"


def _digest(config: TrialConfig) -> str:
    return config_digest(to_plain(config), FIRST_SCHEME)  # as `evaluate` names its folders


def _place(folder: SweepFolder, number: int, asked: ExportRequest) -> Path:
    name = "-".join(
        [f"trial{number}", asked.format, asked.precision, *([asked.part] if asked.part else [])]
    )
    out = Path(asked.out) if asked.out else folder.root / "export" / name
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out}: exists already; remove it, or name another folder with --out")
    return out.absolute()


def _require_packages(form: Format) -> None:
    missing = [name for name in NEEDS[form] if find_spec(name) is None]
    if missing:
        extras = "export" if form == "torch" else f"export,{form}"
        raise ResourceError(
            f"{', '.join(missing)}: not installed; format {form} needs "
            f"pip install 'bearing_search[{extras}]'"
        )


def _require_exportable(config: TrialConfig) -> None:
    if not DETECTORS[config.detector].network:
        raise ConfigError(
            f"detector {config.detector} cannot be exported: its entry in DETECTORS names no "
            "`network`, a function that builds it for use (docs/deploy.md)"
        )


def _require_part(part: str, known: tuple[str, ...]) -> None:
    if part and part not in known:
        raise ConfigError(f"part {part}: the sweep has {', '.join(known)}; name one of them")
