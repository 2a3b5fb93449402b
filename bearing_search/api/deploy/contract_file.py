"""Thresholds of `threshold.json`, if it belongs to what is exported."""

from collections.abc import Mapping

from rich.console import Console

from bearing_search.analysis.postprocess_settings import PostprocessSetting
from bearing_search.config import FIRST_SCHEME, config_digest, to_plain
from bearing_search.export.default_thresholds import ChosenThresholds
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.reporting.contracts.contract_json import FILE, Source
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.trial_history.records import trial_config


def contract_thresholds(
    folder: SweepFolder, number: int, setting: PostprocessSetting, console: Console
) -> Mapping[str, ChosenThresholds]:
    """Part -> thresholds that `threshold` set for this trial; those of another one are not taken.

    Raises:
        DamagedFileError: the file holds something else.
    """
    file = folder.root / FILE
    if not file.exists():
        return {}
    content = read_json_object(file)
    wanted = Source(
        sweep=folder.record.name,
        trial=number,
        config_digest=config_digest(to_plain(trial_config(folder.root, number)), FIRST_SCHEME),
        data_digest=folder.record.data_digest,
        setting=setting,
        trials_compared=0,
    ).content
    if any(content.get(key) != value for key, value in wanted.items() if key != "trials_compared"):
        console.print(f"{FILE} is of another trial, data or post-processing: not taken")
        return {}
    with naming_damage(file):
        found = {part: _chosen(one) for part, one in content["parts"].items()}
    console.print(f"thresholds of {FILE} for {', '.join(found) or 'no part'}")
    return found


def _chosen(part: Mapping[str, object]) -> ChosenThresholds:
    contract = part["contract"]
    assert isinstance(contract, Mapping)
    asked = [
        f"--{name.replace('_', '-')} {contract[name]:.3g}"
        for name in ("max_miss", "max_overkill")
        if contract[name] is not None
    ] or ["--cost"]
    ok, ng, unit = part["reinspect_from"], part["ng_from"], part["unit"]
    if not isinstance(ok, float | int) or not isinstance(ng, float | int):
        raise TypeError("a threshold is no number")
    return ChosenThresholds(
        ok=ok,
        ng=ng,
        is_standardised=unit == "standardised",
        rule=f"threshold {' '.join(asked)}, views: {contract['views']}",
    )
