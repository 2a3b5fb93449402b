import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from bearing_search.plots import lettering


@pytest.fixture
def without_hangul(monkeypatch):
    monkeypatch.setattr(lettering, "families", lambda: ("DejaVu Sans",))


def figure_of(text):
    figure = Figure(figsize=(3, 2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xticks([0, 1], [lettering.drawable(text), "b"])
    axes.set_title(lettering.drawable(text))
    return figure


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("name", ["내륜 찍힘", "Größe", "LC"])
def test_names_are_drawn_as_they_are(name):
    assert lettering.drawable(name) == name
    figure = figure_of(name)
    assert lettering.figure_png(figure).startswith(b"\x89PNG")  # a missing glyph would warn
    assert "numbers" not in texts(figure)


def test_different_syllables_look_different():
    assert len({lettering.figure_png(figure_of(name)) for name in ("찍힘", "결함")}) == 2


def test_letters_without_a_font_are_numbers_and_the_figure_says_so(without_hangul):
    assert lettering.drawable("찍") == r"\ucc0d"
    figure = figure_of("찍힘")
    lettering.figure_png(figure)
    assert "written as their numbers" in texts(figure)
    assert "bearing_search[hangul]" in texts(figure)


def test_what_no_font_has_is_escaped_and_a_dollar_is_no_mathematics():
    assert lettering.drawable("\u0e2a a\tb") == r"\u0e2a a\u0009b"
    assert lettering.drawable("\U0010fffd") == r"\U0010fffd"
    assert lettering.drawable("a$b$") == r"a\$b\$"
    assert np.frombuffer(lettering.figure_png(figure_of("a$b$c_")), np.uint8).size


def test_the_fonts_of_the_machine_come_first(monkeypatch):
    monkeypatch.setattr(
        font_manager.fontManager, "get_font_names", lambda: ["DejaVu Sans", "UnDotum"]
    )
    assert lettering._families.__wrapped__(True) == ("DejaVu Sans", "UnDotum")
    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: [])
    assert lettering._families.__wrapped__(False) == ("DejaVu Sans",)
