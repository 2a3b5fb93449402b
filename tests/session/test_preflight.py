from dataclasses import replace

import pytest

from bearing_search.config import DETECTORS, EncoderConfig, TrialConfig
from bearing_search.errors import ConfigError
from bearing_search.search_space.objectives import ObjectiveSpec, objective_spec
from bearing_search.session.preflight import check_counted

BY_WORK = objective_spec([{"val/pixel_aupro": "max"}, {"cost/train_gflop": "min"}], None)
BELOW = objective_spec(None, ["cost/train_gflop <= 100"])
GIANT = replace(TrialConfig(), encoder=EncoderConfig(name="vit_giant_patch14_dinov2"))


@pytest.mark.parametrize("asked", [BY_WORK, BELOW])
def test_a_search_by_the_work_of_training_needs_it_counted_for_every_setting(asked, monkeypatch):
    check_counted([TrialConfig()], asked)
    with pytest.raises(ConfigError, match=r"encoder\.name: vit_giant_patch14_dinov2 is not known"):
        check_counted([TrialConfig(), GIANT], asked)
    unknown = replace(DETECTORS["dinomaly"], counted="")
    monkeypatch.setitem(DETECTORS, "dinomaly", unknown)
    with pytest.raises(ConfigError, match=r"detector: dinomaly \(DetectorSpec\.counted\)"):
        check_counted([TrialConfig()], asked)


def test_other_searches_may_use_any_encoder():
    check_counted([GIANT], ObjectiveSpec())
