"""Files that people and tools outside read agree with each other."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import bearing_search

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEADINGS = {"Numbers", "Files and keys", "Commands"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def leaves(tree):
    """What a nav holds at its ends."""
    if isinstance(tree, str):
        return [tree]
    return [
        leaf for one in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(one)
    ]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    assert citation["title"] == PROJECT["name"]
    assert citation["license"] == PROJECT["license"]
    assert citation["abstract"] == PROJECT["description"]
    assert [one["name"] for one in citation["authors"]] == [
        one["name"] for one in PROJECT["authors"]
    ]


def test_the_changelog_has_this_version_below_what_is_unreleased():
    lines = read("CHANGELOG.md").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    assert re.fullmatch(
        rf"## \[{re.escape(PROJECT['version'])}\]( - \d{{4}}-\d\d-\d\d)?", versions[1]
    )
    assert {line[4:] for line in lines if line.startswith("### ")} <= HEADINGS


def test_every_page_is_in_the_nav_and_nothing_else_is():
    outside = re.findall(r'^    "(.+)": "(.+)",$', read(".ci/mkdocs_hooks.py"), re.MULTILINE)
    assert outside
    assert all((ROOT / source).is_file() for source, _ in outside)
    pages = [file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")]
    nav = leaves(yaml.safe_load(read("mkdocs.yml"))["nav"])
    assert sorted(nav) == sorted([*pages, *(page for _, page in outside)])


def test_every_public_name_is_on_the_page_of_the_api():
    blocks = re.findall(r"^::: (.+)$", read("docs/api.md"), re.MULTILINE)
    shown = {one.rpartition(".")[2] for one in blocks if one != "bearing_search.errors"}
    assert set(bearing_search.__all__) - shown == {"__version__", "BearingSearchError"}


def test_just_has_a_recipe_for_every_step_and_no_logic_of_its_own():
    text = read(".ci/run")
    steps = {name for name in re.findall(r"^(\w+)\(\) \{", text, re.MULTILINE)} - {"install"}
    recipes = dict(re.findall(r"^(\w+):\n    (.+)$", read("justfile"), re.MULTILINE))
    assert recipes.pop("gate") == "bash .ci/run"
    assert recipes.pop("default") == "@just --list"
    assert {step: recipes.pop(step, "") for step in steps} == {
        step: f"bash .ci/run {step}" for step in steps
    }
    assert recipes.keys() <= {"fuzz", "layouts", "mutants"}  # hours of work, no step of the gate


def test_a_step_that_is_none_is_refused_before_anything_runs():
    run = subprocess.run(
        ["bash", ".ci/run", "lint-all"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith("lint-all: no step; one of install lint ")


@pytest.mark.parametrize("file", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda f: f.name)
def test_forms_can_be_read(file):
    assert yaml.safe_load(file.read_text())


def test_constraints_pin_every_dependency_and_the_tools():
    pinned = {line.partition("==")[0] for line in read("constraints.txt").splitlines()[1:]}
    extras = PROJECT["optional-dependencies"].values()
    wanted = {
        re.match(r"[\w.-]+", requirement)[0]
        for requirement in [*PROJECT["dependencies"], *(one for extra in extras for one in extra)]
    } - {PROJECT["name"]}

    def plain(names):
        return {re.sub(r"[-_.]+", "-", name).lower() for name in names}

    assert plain(wanted) - plain(pinned) == {"setuptools"}  # pip's own, of the machine
