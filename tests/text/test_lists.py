from bearing_search.text.lists import first_of


def test_a_long_list_is_counted_rather_than_printed():
    assert first_of([]) == ""
    assert first_of(["a", "b"], most=2) == "a, b"
    assert first_of(["a", "b", "c", "d"], most=2) == "a, b and 2 more"
