"""Whether pixels or whole images are the objective, by the masks that there are."""

from pathlib import Path

from bearing_search.data.pixel_labels import objective_level, unmasked_counts, unmasked_lines
from bearing_search.data.samples import Sample


def samples(part="LC", *, masked=0, unmasked=0, normal=2, split="train") -> list[Sample]:
    return [
        Sample(
            part=part,
            split=split,
            defect="dent" if number < masked + unmasked else "good",
            name=f"{split}{number}",
            group=f"{split}{number}",
            is_anomalous=number < masked + unmasked,
            level_files=(Path("a.png"),),
            mask_file=Path("m.png") if number < masked else None,
        )
        for number in range(masked + unmasked + normal)
    ]


def test_pixels_are_the_objective_where_every_part_has_a_mask_or_synthetic_defects():
    assert objective_level(samples(masked=3)) == "pixel"
    assert objective_level(samples(masked=1, unmasked=7)) == "pixel"
    assert objective_level(samples("LC", masked=3) + samples("OD")) == "pixel"  # OD: synthetic


def test_one_part_without_any_mask_makes_whole_images_the_objective():
    assert objective_level(samples(unmasked=3)) == "image"
    assert objective_level(samples("LC", masked=3) + samples("OD", unmasked=1)) == "image"


def test_what_has_no_mask_is_counted_by_part_and_split():
    found = unmasked_counts(
        samples("OD", masked=2, unmasked=3)
        + samples("LC", masked=2)
        + samples("LC", unmasked=1, split="test")
    )
    assert [(one.part, one.split, one.unmasked, one.anomalous) for one in found] == [
        ("LC", "test", 1, 1),
        ("OD", "train", 3, 5),
    ]


def test_what_does_not_count_is_said_in_words():
    assert unmasked_lines(samples(masked=2)) == []
    assert unmasked_lines(samples(masked=2, unmasked=3)) == [
        "LC: 3 of 5 anomalous samples in train have no mask: they count in metrics of whole images "
        "only, and fine-tuning's patch task learns from the other 2 only"
    ]
    assert unmasked_lines(samples(unmasked=3)) == [
        "LC: all 3 anomalous samples in train have no mask: they count in metrics of whole images "
        "only, and fine-tuning's patch task learns from synthetic defects instead"
    ]
    assert unmasked_lines(samples(unmasked=1, split="test")) == [
        "LC: the anomalous sample in test has no mask: it counts in metrics of whole images only"
    ]
