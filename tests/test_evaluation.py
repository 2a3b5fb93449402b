import pytest

from bearing_search.config import ProtocolConfig
from bearing_search.evaluation import evaluation_markdown, read_evaluation, write_evaluation


@pytest.fixture
def evaluated(tmp_path, scored):
    def evaluated(tuned, frozen, times_opened=1):
        return write_evaluation(
            tmp_path,
            sweep="first",
            trial=3,
            tuned={"LC/all": tuned},
            frozen={"LC/all": frozen},
            protocol=ProtocolConfig(map_px=16),
            times_opened=times_opened,
        )

    return evaluated


def test_an_evaluation_is_read_back_as_it_was_written(tmp_path, scored, evaluated):
    assert read_evaluation(tmp_path) is None
    assert evaluated(scored(3.0), scored(0.5)) == read_evaluation(tmp_path)


def test_a_real_gain_is_called_one(scored, evaluated):
    evaluation = evaluated(scored(3.0), scored(0.5))
    line = evaluation.line("pixel_aupro")
    assert line.difference.low > 0
    assert line.floor == pytest.approx(0.15)
    page = evaluation_markdown(evaluation)
    assert "Fine-tuning helped: pixel_aupro rose by +" in page
    assert "Test opened once" in page
    assert "LC 12 normal + 12 anomalous" in page


def test_no_difference_is_called_undecided_and_a_second_look_is_counted(scored, evaluated):
    page = evaluation_markdown(evaluated(scored(0.5, seed=7), scored(0.5), times_opened=2))
    assert "Whether fine-tuning helped is undecided" in page
    assert "Test opened 2 times" in page


def test_different_samples_are_not_subtracted(scored, evaluated):
    page = evaluation_markdown(evaluated(scored(3.0), scored(0.5, names="t")))
    assert "other samples" in page
    assert "cannot be compared" in page
