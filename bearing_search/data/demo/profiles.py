"""Appearance of the three parts of the demo set: profiles, exposures, steepness of dents."""

from bearing_search.data.demo.scene import Band

BANDS: dict[str, tuple[Band, ...]] = {
    "LC": (
        Band(start=0.0, stop=0.66, slope=0.0, reflectance=0.035, grooves=0.0),
        Band(start=0.66, stop=0.685, slope=-0.7, reflectance=0.55, grooves=0.05),
        Band(start=0.685, stop=0.965, slope=0.0, reflectance=0.6, grooves=0.16, holds_dents=True),
        Band(start=0.965, stop=1.0, slope=0.7, reflectance=0.6, grooves=0.05),
    ),
    "SC": (
        Band(start=0.0, stop=0.6, slope=0.0, reflectance=0.5, grooves=0.0),
        Band(start=0.6, stop=0.63, slope=-0.8, reflectance=0.2, grooves=0.05),
        Band(start=0.63, stop=0.95, slope=0.0, reflectance=0.3, grooves=0.14, holds_dents=True),
        Band(start=0.95, stop=1.0, slope=0.8, reflectance=0.2, grooves=0.05),
    ),
    "OD": (
        Band(start=0.0, stop=0.33, slope=0.0, reflectance=0.03, grooves=0.0),
        Band(start=0.33, stop=0.36, slope=-0.7, reflectance=0.5, grooves=0.03),
        Band(start=0.36, stop=0.5, slope=0.0, reflectance=0.5, grooves=0.08),
        Band(start=0.5, stop=0.52, slope=0.7, reflectance=0.35, grooves=0.03),
        Band(start=0.52, stop=0.9, slope=0.3, reflectance=0.6, grooves=0.12, holds_dents=True),
        Band(start=0.9, stop=0.915, slope=-0.9, reflectance=0.25, grooves=0.02),
        Band(start=0.915, stop=1.0, slope=0.25, reflectance=0.6, grooves=0.06),
    ),
}
"""Profile of each part from its centre outwards."""

EXPOSURES: dict[str, tuple[float, float, float]] = {
    "LC": (1.0, 0.5, 0.045),
    "SC": (1.0, 0.5, 0.045),
    "OD": (1.0, 0.55, 0.26),
}
"""Brightness levels 0, 1, 2; level 2 of the end faces is almost black, as in the paper."""


STEEPNESS: dict[str, tuple[float, float]] = {
    "LC": (0.13, 0.45),
    "SC": (0.25, 0.75),
    "OD": (0.7, 1.6),
}
"""Largest slope of a dent's walls: chosen so that a nearest-neighbour baseline on frozen features
finds most, but not all of them (see docs/roi.md)."""
