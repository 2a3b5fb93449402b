from bearing_search.config.parsing import no_such_setting


def test_an_unknown_setting_is_told_its_neighbours_and_not_all_settings():
    known = ["seed", "split.folds", "split.seed", "circle.canny.low"]
    assert no_such_setting("q.w", known).endswith("known are seed, split, circle")
    assert no_such_setting("circle.wwwwwwww", known).endswith("known are circle.canny")
    assert no_such_setting("split.fold", known).endswith("did you mean split.folds?")
