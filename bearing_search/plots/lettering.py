"""Fonts of matplotlib's figures: DejaVu Sans, and for letters that it lacks a font with Hangul.

matplotlib's own font has no Hangul. One is looked for among the fonts of the machine, then in the
package of the extra `hangul`. Letters that none has are written as their numbers, and the figure
says so: never as empty boxes.
"""

import io
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

_OWN = "DejaVu Sans"
_WITH_HANGUL = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "UnDotum",
)
"""Families looked for among the fonts of the machine."""

_PACKAGE, _FILE = "koreanize_matplotlib", "fonts/NanumGothic.ttf"
_NOTE = (
    "Letters without a font here are written as their numbers; "
    "the extra `hangul` has a font: pip install 'bearing_search[hangul]'."
)


def families() -> tuple[str, ...]:
    """Font families that figures are drawn with, tried letter by letter in this order."""
    return _families(find_spec(_PACKAGE) is not None)


def drawable(text: str) -> str:
    r"""The text with letters that no font has replaced by escapes such as `\u0e2a`.

    A `$` is escaped for matplotlib, which would read mathematics.
    """
    # NFC: file names from macOS have decomposed Hangul and umlauts
    letters = (
        letter if _has_glyph(letter, families()) else _escape(letter)
        for letter in unicodedata.normalize("NFC", text)
    )
    return "".join(letters).replace("$", r"\$")


def figure_png(figure: Figure, *, dpi: int = 110) -> bytes:
    """The figure as PNG; a line below it says so if letters were escaped by `drawable`."""
    names = list(families())
    with rc_context({"font.family": names}):  # for tick labels, which are made while drawing
        for text in figure.findobj(Text):
            text.set_fontfamily(names)
        figure.draw_without_rendering()
        if any(_is_escaped(text.get_text()) for text in figure.findobj(Text)):
            figure.supxlabel(_NOTE, fontsize=7)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _is_escaped(text: str) -> bool:
    return "\\u" in text or "\\U" in text


@cache
def _families(has_package: bool) -> tuple[str, ...]:
    known = set(font_manager.fontManager.get_font_names())
    for name in _WITH_HANGUL:
        if name in known:
            return (_OWN, name)
    if not has_package:
        return (_OWN,)
    spec = find_spec(_PACKAGE)  # not imported: that would change matplotlib's settings
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / _FILE
    font_manager.fontManager.addfont(str(file))
    return (_OWN, FontProperties(fname=str(file)).get_name())


@cache
def _has_glyph(letter: str, names: tuple[str, ...]) -> bool:
    return letter.isprintable() and any(ord(letter) in _characters(name) for name in names)


@cache
def _characters(name: str) -> frozenset[int]:
    return frozenset(FT2Font(font_manager.findfont(name)).get_charmap())
