import csv
import io
import json
import math
from dataclasses import replace
from html import unescape

import cv2
import numpy as np
import pytest

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.operating_points import best_f1_threshold
from bearing_search.config import ProtocolConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.demo.dataset import PAPER_COUNTS
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.prediction_files import load_predictions, save_predictions
from bearing_search.reproduction.crossed import Run
from bearing_search.reproduction.html_page import html_page
from bearing_search.reproduction.measure import kind_rows, table_data
from bearing_search.reproduction.open_choices import OPEN_CHOICES, markdown_table
from bearing_search.reproduction.pages import csv_text, json_text, long_rows, markdown_page
from bearing_search.reproduction.pictures import chosen_samples
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    EVEN_THRESHOLDS_METRIC,
    MEAN,
    PAPER_METRICS,
    TABLE_2,
    published,
)
from bearing_search.reproduction.report import write_report
from bearing_search.reproduction.texts import Facts, conclusions, how_sure, warnings_of
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.trial_history.records import TrialRecord

PROTOCOL = ProtocolConfig(map_px=16)
FACTS = Facts(
    name="try",
    question="Does it help?",
    planned=8,
    data="DATA",
    is_rendered=False,
    map_px=16,
    fpr_limit=0.3,
)


@pytest.fixture
def run(tmp_path, predictions):
    """Writes one run whose defects stand out by `signal`."""

    def run(signal, *, detector="dinomaly", encoder="EN_pre", part="LC", seed=0, **changes) -> Run:
        file = tmp_path / f"{detector}-{encoder}-{part}-{seed}.npz"
        made = predictions(signal, seed=10 * seed + ENCODER_STATES.index(encoder), num=24)
        save_predictions(replace(made, **changes), file)
        return Run(detector=detector, encoder=encoder, part=part, seed=seed, file=file)

    return run


@pytest.fixture
def both(run):
    """EN_pre and EN_train of some parts and seeds."""

    def both(before, after, *, parts=("LC",), seeds=(0,), detector="dinomaly") -> list[Run]:
        return [
            run(signal, encoder=encoder, part=part, seed=seed, detector=detector)
            for encoder, signal in (("EN_pre", before), ("EN_train", after))
            for part in parts
            for seed in seeds
        ]

    return both


def test_the_papers_mean_rows_are_the_means_of_its_parts():
    for rows in (rows for states in TABLE_2.values() for rows in states.values()):
        of_parts = np.mean([row for part, row in rows.items() if part != MEAN], axis=0)
        assert np.abs(of_parts - rows[MEAN]).max() < 1e-4  # printed with four digits


def test_the_papers_numbers_are_looked_up_by_name():
    assert published("dinomaly", "EN_train", "OD", "pixel_aupro") == 0.8969
    assert published("dinomaly", "EN_train", "OD", "pixel_aupro_200") == 0.8969
    assert published("vitad", "EN_pre", MEAN, "image_auroc") == 0.7737
    assert published("vitad", "EN_pre", "plate", "image_auroc") is None
    assert published("patchcore", "EN_pre", "LC", "image_auroc") is None
    assert set(PAPER_METRICS) <= set(METRICS)


def test_a_value_is_the_mean_over_seeds_and_a_mean_that_over_parts(both):
    runs = both(1.0, 1.0, parts=("LC", "OD"), seeds=(0, 1))
    measured = table_data(runs, PROTOCOL)
    alone = [
        table_data([run], PROTOCOL).line("dinomaly", run.part, "pixel_ap").values["EN_pre"].value
        for run in runs[:4]
    ]
    of_lc = measured.line("dinomaly", "LC", "pixel_ap").values["EN_pre"].value
    of_all = measured.line("dinomaly", MEAN, "pixel_ap").values["EN_pre"].value
    assert of_lc == pytest.approx(np.mean(alone[:2]))
    assert of_all == pytest.approx(np.mean(alone))
    assert (measured.num_runs, measured.seeds, measured.rows) == (8, (0, 1), ("LC", "OD", MEAN))


def test_a_clear_gain_is_called_one_and_its_mirror_a_loss(both):
    gain = table_data(both(0.3, 4.0), PROTOCOL).line("dinomaly", "LC", "pixel_aupro")
    assert (gain.verdict, gain.difference.low > 0) == ("higher", True)
    assert gain.floor == pytest.approx(0.15)
    loss = table_data(both(4.0, 0.3), PROTOCOL).line("dinomaly", "LC", "pixel_aupro")
    assert loss.verdict == "lower"


def test_no_gain_is_undecided_and_said_so(both):
    measured = table_data(both(1.0, 1.0), PROTOCOL)
    assert measured.line("dinomaly", "LC", "image_auroc").verdict == "undecided"
    assert "I-AUROC" in conclusions(measured)[0].split("undecided: ")[1]


def test_baselines_come_after_the_papers_detectors_and_without_its_numbers(run):
    names = ("padim", "patchcore", "vitad")
    papers = ("LC", "SC", "OD")
    runs = [run(1.0, detector=name, part=part) for name in names for part in papers]
    measured = table_data(runs, PROTOCOL)
    assert measured.detectors == ("vitad", "patchcore", "padim")
    page = markdown_page(measured, FACTS, {}, "")
    rows = [line for line in page.splitlines() if "| LC | EN_pre" in line]
    assert [row.split(" | ")[0] for row in rows] == ["| ViTAD", "| ViTAD", "| PatchCore", "| PaDiM"]
    assert "The paper has no numbers for PatchCore, PaDiM." in page


def test_trainings_that_scatter_widen_the_interval(both, run):
    alike = [*both(1.0, 1.0, seeds=(0, 1))]
    one = table_data(alike[:1], PROTOCOL).line("dinomaly", "LC", "pixel_ap").values["EN_pre"]
    scattered = [run(0.2, seed=0), run(4.0, seed=1)]
    two = table_data(scattered, PROTOCOL).line("dinomaly", "LC", "pixel_ap").values["EN_pre"]
    assert two.high - two.low > 2 * (one.high - one.low)


def test_seeds_are_paired_so_that_what_both_share_cancels(run):
    runs = [
        run(signal, encoder=encoder, seed=seed)
        for seed, signal in ((0, 0.5), (1, 3.0))
        for encoder in ENCODER_STATES
    ]
    line = table_data(runs, PROTOCOL).line("dinomaly", "LC", "pixel_ap")
    value, difference = line.values["EN_pre"], line.difference
    assert difference.high - difference.low < value.high - value.low


def test_missing_runs_leave_gaps_and_nothing_else(both):
    runs = both(0.3, 4.0, parts=("LC", "OD"))[:3]  # EN_train of OD is missing
    measured = table_data(runs, PROTOCOL)
    assert measured.line("dinomaly", "LC", "pixel_aupro").verdict == "higher"
    gap = measured.line("dinomaly", "OD", "pixel_aupro")
    assert gap.values["EN_pre"].value > 0
    assert math.isnan(gap.values["EN_train"].value)
    assert math.isnan(measured.line("dinomaly", MEAN, "pixel_aupro").difference.value)
    assert any("runs of one of the encoders are missing" in text for text in conclusions(measured))
    page = markdown_page(measured, FACTS, {}, "")
    assert "Incomplete: 3 of 8 runs" in page
    assert "nan" not in page


def test_the_even_thresholds_have_a_value_and_no_interval(both):
    line = table_data(both(1.0, 2.0), PROTOCOL).line("dinomaly", "LC", EVEN_THRESHOLDS_METRIC)
    assert 0 < line.values["EN_pre"].value < line.values["EN_train"].value
    assert math.isnan(line.values["EN_pre"].low)
    assert line.verdict == ""


def test_runs_on_different_samples_are_refused(run):
    other = run(1.0, encoder="EN_train", names=tuple(f"other{i}" for i in range(24)))
    with pytest.raises(ValueError, match="LC: its runs were scored on different samples"):
        table_data([run(1.0), other], PROTOCOL)


def test_the_csv_is_long_and_reads_back(both):
    measured = table_data(both(0.3, 4.0), PROTOCOL)
    rows = list(csv.DictReader(io.StringIO(csv_text(long_rows(measured, FACTS)))))
    assert len(rows) == 3 * (len(METRICS) + 1)
    found = next(
        row
        for row in rows
        if row["metric"] == "pixel_aupro" and row["encoder"] == "EN_train - EN_pre"
    )
    line = measured.line("dinomaly", "LC", "pixel_aupro")
    assert float(found["low"]) == pytest.approx(line.difference.low, abs=1e-6)
    assert found["verdict"] == "higher"
    assert float(found["paper"]) == pytest.approx(0.7746 - 0.7868)


def test_one_seed_and_chance_findings_are_spoken_of(both):
    said = " ".join(how_sure(table_data(both(0.3, 4.0), PROTOCOL)))
    assert "One seed" in said
    assert "by chance" in said


def test_the_papers_numbers_of_other_data_are_called_so(both):
    ours = table_data(both(1.0, 1.0, parts=("LC",)), PROTOCOL)
    assert any("other data" in text for text in warnings_of(ours, FACTS))
    papers = table_data(both(1.0, 1.0, parts=("LC", "SC", "OD")), PROTOCOL)
    said = " ".join(warnings_of(papers, FACTS))
    assert "other data" not in said
    # the fixture has 12 + 12 samples, Table 1 other counts
    assert "LC {} + {}".format(*PAPER_COUNTS["LC"]["test"]) in said
    rendered = " ".join(warnings_of(papers, replace(FACTS, is_rendered=True)))
    assert "The data is rendered" in rendered
    assert "other data" in rendered


def test_a_page_escapes_what_it_is_given(both):
    measured = table_data(both(0.3, 4.0, parts=("<b>|x",)), PROTOCOL)
    facts = replace(FACTS, name="<script>alert(1)</script>", space_text="a < b")
    page = html_page(measured, facts, {}, [("question", "choice"), ("a<b", "c&d")])
    assert "<script>" not in page
    assert "<b>|x" not in page
    assert "a&lt;b" in page
    assert "https://" not in page
    assert "\\|x" in markdown_page(measured, facts, {}, "")


def test_kinds_of_defects_have_a_table_of_the_first_seed(run):
    kinds = tuple("good" if i % 2 else "crack" if i < 6 else "<dent>" for i in range(24))
    runs = []
    for seed in (1, 0):
        for encoder, signal in (("EN_train", 9.0), ("EN_pre", 0.3 + seed)):
            runs.append(run(signal, encoder=encoder, seed=seed, defects=kinds))
    rows = kind_rows(runs, PROTOCOL, {"LC": {"crack"}})
    assert [(row.encoder, row.kind, row.samples, row.is_in_training) for row in rows] == [
        ("EN_pre", "<dent>", 9, False),
        ("EN_pre", "crack", 3, True),
        ("EN_train", "<dent>", 9, False),
        ("EN_train", "crack", 3, True),
    ]
    first = load_predictions(
        next(one.file for one in runs if (one.seed, one.encoder) == (0, "EN_pre"))
    )
    cracks = first.only(np.isin(kinds, ["crack", "good"]))
    assert rows[1].image_auroc.value == pytest.approx(cracks.metrics(PROTOCOL)["image_auroc"])
    threshold = best_f1_threshold(first.image_scores, first.is_anomalous)
    assert rows[1].found.value == (first.image_scores[:6:2] >= threshold).mean()
    assert rows[3].found == rate_interval(3, 3)

    measured = replace(table_data(runs, PROTOCOL), kinds=rows)
    page = markdown_page(measured, FACTS, {}, "")
    assert "| EN_train | <dent> (not in training) | 9 of 9 [66%, 100%] | 1.0000" in page
    assert "&lt;dent&gt; (not in training)" in html_page(measured, FACTS, {}, [])
    plain = json.loads(json_text(measured, FACTS, long_rows(measured, FACTS)))["kinds"]
    assert [row["is_in_training"] for row in plain] == [False, True, False, True]
    assert plain[3]["found"]["value"] == 1


def test_pictures_show_samples_by_their_place_not_by_their_score():
    is_anomalous = np.array([False] * 3 + [True] * 9)
    assert chosen_samples(is_anomalous) == [3, 6, 8, 11, 0, 2]
    assert chosen_samples(np.array([True])) == [0]


@pytest.fixture
def reproduced(tmp_path, make_set, predictions, tiny_raw):
    """A reproduction whose runs left what real ones leave; returns the folder and the trials."""
    data = make_set(parts=("plate",), tests=4)
    tests = load_data_set(data).samples("test", "plate")
    space = json.dumps(
        {
            "base": tiny_raw | {"parts": ["plate"], "protocol": {"map_px": 16}},
            "vary": {
                "encoder_state": {
                    "bundle": {
                        "frozen": {
                            "finetune.epochs": 0,
                            "finetune.reconstruction_only_epochs": 0,
                        },
                        "tuned": {"finetune.epochs": 3},
                    }
                }
            },
        }
    )
    record = SweepRecord(
        name="try",
        space_text=f"# Does it help?\n{space}",
        data=str(data),
        data_digest="0",
        task="reproduction",
        sampler="grid",
    )
    folder = create_sweep(tmp_path / "results", record)
    for number, signal in enumerate((0.5, 3.0)):
        unit = folder.trial_folder(number) / "plate" / "all"
        unit.mkdir(parents=True)
        made = predictions(signal, num=8)
        dents_first = [0, 2, 4, 6, 1, 3, 5, 7]  # as the data set lists them
        arranged = replace(
            made,
            distances=made.distances[dents_first],
            masks=made.masks[dents_first],
            is_anomalous=made.is_anomalous[dents_first],
            names=tuple(sample.title for sample in tests),
        )
        save_predictions(arranged, unit / "scored.npz")
        tags = {"defects/plate": "real"}
        (unit / "unit.json").write_text(json.dumps({"tags": tags}))
        artifacts = folder.trial_folder(number) / "artifacts"
        artifacts.mkdir()
        if number:
            for kind in ("curves", "reconstruction", "patches"):
                cv2.imwrite(str(artifacts / f"{kind}_plate.png"), np.zeros((9, 9), np.uint8))
    states = ("frozen", "tuned")
    records = [
        TrialRecord(number=n, state="complete", suggestion={"encoder_state": state})
        for n, state in enumerate(states)
    ]
    return folder, records


@pytest.mark.slow
def test_a_report_has_every_table_and_figure(reproduced):
    folder, records = reproduced
    measured = write_report(folder, records)
    assert measured.line("dinomaly", "plate", "pixel_auroc").values["EN_train"].value > 0.9
    names = {file.name for file in folder.root.iterdir()}
    assert names >= {
        "table2.csv",
        "table2.json",
        "table2.md",
        "table2.html",
        "table2.png",
        "fig8_dinomaly_plate.png",
        "fig9_dinomaly_plate_curves.png",
        "fig10_dinomaly_plate_reconstruction.png",
        "fig10_dinomaly_plate_patches.png",
    }
    page = (folder.root / "table2.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "Test was read by design, in 2 runs" in page
    linked = (folder.root / "table2.md").read_text()
    assert "![fig8_dinomaly_plate.png](fig8_dinomaly_plate.png)" in linked
    assert markdown_table() in linked
    assert all(f">{choice.choice}<" in unescape(page) for choice in OPEN_CHOICES)
    content = json.loads((folder.root / "table2.json").read_text())
    assert (content["runs"], content["planned"]) == (2, 2)
    picture = cv2.imread(str(folder.root / "fig8_dinomaly_plate.png"))
    assert picture.std() > 10


def test_a_report_of_half_a_reproduction_says_so(reproduced):
    folder, records = reproduced
    write_report(folder, records[:1])
    page = (folder.root / "table2.md").read_text()
    assert "Incomplete: 1 of 2 runs" in page
    assert not list(folder.root.glob("fig8_*"))
    assert not list(folder.root.glob("fig9_*"))
