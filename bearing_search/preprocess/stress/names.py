"""Names of the variants of a sample; each takes the place of the sample's kind of defect."""

UNCHANGED = "unchanged"
DENT_ANGLES_DEG = tuple(range(0, 360, 45))
_DENT = "dent at {} deg"


def dent_name(angle_deg: int) -> str:
    """Name of the variant with a dent at this angle, clockwise from the right."""
    return _DENT.format(angle_deg)


DENT_ANGLES = {dent_name(angle): angle for angle in DENT_ANGLES_DEG}
"""Name of a variant with a dent -> its angle in degrees."""
