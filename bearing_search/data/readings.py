"""Attaches to each sample what its part's files have in common: bit depth, levels, void value."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bearing_search.config import PreprocessConfig, TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.decoding.bit_depth import PartDepth
from bearing_search.data.part_reading import PartReading, reading_of_part
from bearing_search.data.samples import Sample


def with_readings(
    data_set: DataSet, config: TrialConfig, *, cache: Path, known: Mapping[str, int] | None = None
) -> DataSet:
    """The data set, with what the files of each part used by a config have in common.

    Found from the headers of training files, and from pixels for 16-bit files only; test files are
    not opened. Later trials take the result from the cache.

    Args:
        cache: folder shared by all trials.
        known: bit depths found earlier, by part; `preprocess.bits` takes precedence.

    Raises:
        DataError: a training file cannot be read, or the samples of a part differ in levels.
    """
    chosen = data_set.chosen_parts(config.parts)
    used = [sample for sample in data_set.all_samples if sample.part in chosen]
    read, depths = read_alike(used, config.preprocess, cache=cache, known=known or {})
    others = [sample for sample in data_set.all_samples if sample.part not in chosen]
    by_title = {sample.title: sample for sample in (*read, *others)}
    samples = tuple(by_title[sample.title] for sample in data_set.all_samples)
    return replace(data_set, all_samples=samples, depths=depths)


def read_alike(
    samples: Sequence[Sample],
    config: PreprocessConfig,
    *,
    cache: Path | None,
    known: Mapping[str, int],
) -> tuple[list[Sample], dict[str, PartDepth]]:
    """The samples, each with the reading of its part, and the bit depth of each part.

    Args:
        cache: as for `with_readings`; None: no cache.
        known: as for `with_readings`.

    Raises:
        DataError: as for `with_readings`.
    """
    given = {**known, **(config.bits or {})}
    readings: dict[str, PartReading] = {}
    depths: dict[str, PartDepth] = {}
    for part in sorted({sample.part for sample in samples}):
        of_train = [s.level_files for s in samples if s.part == part and s.split == "train"]
        reading, depths[part] = reading_of_part(part, of_train, bits=given.get(part), cache=cache)
        readings[part] = replace(reading, void_value=config.void_value)
    return [replace(sample, reading=readings[sample.part]) for sample in samples], depths


def depth_lines(depths: Mapping[str, PartDepth]) -> dict[str, str]:
    """Part -> message on its bit depth, where it uses fewer than 16 of 16 bits or is in doubt."""
    lines = {}
    for part, depth in depths.items():
        if depth.bits not in (8, 16) or depth.doubt:
            doubt = f"; {depth.doubt}" if depth.doubt else ""
            lines[part] = (
                f"{part}: {depth.bits} bits in 16 ({depth.why}){doubt}; if that is wrong, set "
                f"preprocess.bits: {{{part}: 16}}"
            )
    return lines
