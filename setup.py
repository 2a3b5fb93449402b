"""Packages to install; all else is in pyproject.toml, which cannot say "all found and one more"."""

from setuptools import find_packages, setup

SHIPPED_SPACES = "bearing_search.shipped_spaces"  # where `search_space.shipped` looks for them

setup(
    packages=[*find_packages(include=["bearing_search*"]), SHIPPED_SPACES],
    package_dir={SHIPPED_SPACES: "search_spaces"},
    package_data={
        SHIPPED_SPACES: ["*.yaml"],
        "bearing_search": ["py.typed", "science_digest.json"],
    },
)
