import numpy as np

from bearing_search.training.content_digest import array_digest


def test_digests_are_those_that_stored_stages_are_named_by():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert array_digest(array) == "c65139d96f0b9f71e2837263fefc98fb"
    assert array_digest(np.array(7)) == "d5904fe51d4deff9a4e2e95776ebbc9f"  # batch norm's count


def test_shape_and_type_count():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    digests = {array_digest(a) for a in (array, array.reshape(3, 2), array.view(np.int32))}
    assert len(digests) == 3
