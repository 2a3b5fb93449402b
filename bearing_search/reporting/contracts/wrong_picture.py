"""The samples judged wrong, with their inputs and anomaly maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from bearing_search.analysis.contracts.judged_part import JudgedPart, ModelScale, WrongVerdict
from bearing_search.evaluation.predictions import Predictions
from bearing_search.plots import heat_map, montage
from bearing_search.plots.montage import Picture
from bearing_search.plots.picture_table import Tile, caption, picture_table

MOST_ROWS = 16
"""Samples shown; the farthest from their threshold come first, misses before overkill."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Inputs of the shown samples, by title."""

    pixels: Mapping[str, UInt8[np.ndarray, "s s 3"]]
    num_levels: int
    is_mid_level: bool


def shown_samples(judged: JudgedPart) -> list[tuple[WrongVerdict, str, str]]:
    """Group, fold and title of each row; misses and overkill both get their share of the rows."""
    rows = [(one, key, title) for one in judged.wrong for key, title in one.samples]
    missed = [row for row in rows if row[0].is_anomalous]
    overkill = [row for row in rows if not row[0].is_anomalous]
    half = MOST_ROWS // 2
    kept = missed[: max(half, MOST_ROWS - len(overkill))]
    return [*kept, *overkill[: MOST_ROWS - len(kept)]]


def wrong_picture(
    judged: JudgedPart, folds: Mapping[str, Predictions], inputs: Inputs | None
) -> Picture:
    """A row per sample judged wrong, its map on one colour scale.

    Args:
        judged: the part, with at least one wrong verdict.
        folds: its predictions, whose maps are standardised fold by fold if its scores are.
        inputs: pictures beside the maps; None: maps alone.
    """
    every = {key: _in_unit(one, judged.scales.get(key)) for key, one in folds.items()}
    maps = np.concatenate(list(every.values()))
    labels = np.concatenate([one.is_anomalous for one in folds.values()])
    low, end = float(np.median(maps)), heat_map.scale_end(maps, labels, threshold=_NAN)
    rows = []
    shown = shown_samples(judged)
    for one, key, title in shown:
        place = folds[key].names.index(title)
        tiles = [] if inputs is None else [*_input_tiles(inputs, title)]
        tiles.append(
            heat_map.map_tile(
                every[key][place], folds[key].masks[place], low=low, end=end, threshold=_NAN
            )
        )
        rows.append((_caption(judged, one, title, float(_score(folds[key], place))), tiles))
    titles = ["anomaly map"]
    if inputs is not None:
        named = heat_map.input_titles(inputs.num_levels, is_mid_level=inputs.is_mid_level)
        titles = [*named, *titles]
    bar = heat_map.colour_bar(
        maps,
        low=low,
        end=end,
        threshold=_NAN,
        meaning="one scale for all rows\ngreen: ground truth",
    )
    picture = picture_table(titles, rows, bar=bar)
    count = sum(len(one.samples) for one in judged.wrong)
    said = "" if count == len(shown) else f" ({len(shown)} of {count} shown)"
    heading = montage.label(f"{judged.part}: judged wrong{said}", picture.shape[1], size=14)
    return montage.stacked([heading, picture])


def _in_unit(found: Predictions, scale: ModelScale | None) -> np.ndarray:
    """Maps of one fold in the unit of its image scores, so that folds share one scale."""
    if scale is None:
        return found.maps
    return ((found.maps - scale.mean) / scale.deviation).astype(np.float32)


def _score(found: Predictions, place: int) -> float:
    return float(found.image_scores[place])


def _input_tiles(inputs: Inputs, title: str) -> Sequence[Tile]:
    if title in inputs.pixels:
        return heat_map.input_tiles(inputs.pixels[title], num_levels=inputs.num_levels)
    blank = np.zeros((8, 8), dtype=np.uint8)
    columns = heat_map.input_titles(inputs.num_levels, is_mid_level=inputs.is_mid_level)
    return [Tile(blank)] * len(columns)


def _caption(judged: JudgedPart, one: WrongVerdict, title: str, score: float) -> Picture:
    chosen = judged.decision.chosen
    wrong = "missed" if one.is_anomalous else "overkill"
    limit = chosen.reinspect_from if one.is_anomalous else chosen.ng_from
    lines = [
        (title.split("/", 2)[-1], montage.TEXT),
        (wrong, heat_map.BAD),
        (f"decides {one.score:.3g}, limit {limit:.3g}", montage.TEXT),
        (f"image score {score:.3g}", montage.TEXT),
    ]
    if one.is_anomalous and judged.has_drawn_defects:
        lines.append(("drawn defect, not in the input", montage.TEXT))
    return caption(lines)
