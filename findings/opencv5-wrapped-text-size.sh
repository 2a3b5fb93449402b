#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: a caption that wraps is measured as if it did not.
#
# OpenCV 5 draws text in the fonts inside its wheel (cv2.FontFace). With PUT_TEXT_WRAP and a range of x,
# cv2.putText breaks a long caption into lines inside that range, but cv2.getTextSize, called with the same
# flags and range, gives the box of the whole text on one line, as without them. Who makes room for a
# caption by its measured size gets a strip that is too wide and too low, and the later lines are cut off.
# The break also comes in the middle of a word ("et" / "a" of "eta"), where a space stands two letters before.
# Beside it, good to know for part names: the font called "sans" holds all 11,172 syllables of Hangul, so no
# system font is needed for them.
#
# Seen on 2026-11-30, CPython 3.11, x86-64 Linux:
#   measured without wrapping:  x 10, y 16, width 299, height 18
#   measured with wrapping:     x 10, y 16, width 299, height 18
#   ink with wrapping:          x 10 to 138, y 19 to 66
#   Hangul syllables drawn as the question mark of missing letters: 0
#
# Exits with 0 while it is so, with 1 when something has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

assert cv2.__version__ == "5.0.0", cv2.__version__
font = cv2.FontFace("sans")
text = "alpha beta gamma delta epsilon zeta eta theta"
at, size, weight, room = (10, 30), 14, 400, (10, 140)

plain = cv2.getTextSize((0, 0), text, at, font, size, weight)
wrapped = cv2.getTextSize((0, 0), text, at, font, size, weight, cv2.PUT_TEXT_WRAP, room)
canvas = np.zeros((120, 300, 3), np.uint8)
cv2.putText(canvas, text, at, (255, 255, 255), font, size, weight, cv2.PUT_TEXT_WRAP, room)
rows, columns = np.nonzero(canvas.any(axis=2))
print("measured without wrapping: ", plain)
print("measured with wrapping:    ", wrapped)
print(f"ink with wrapping:          x {columns.min()} to {columns.max()}, y {rows.min()} to {rows.max()}")


def drawn(letter):
    picture = np.zeros((40, 40, 3), np.uint8)
    cv2.putText(picture, letter, (6, 28), (255, 255, 255), font, 20, weight)
    return picture


unknown = drawn("?")
missing = sum(np.array_equal(drawn(chr(code)), unknown) for code in range(0xAC00, 0xD7A4))
print("Hangul syllables without a glyph:", missing)

assert tuple(plain) == tuple(wrapped), "getTextSize knows of wrapping now"
assert wrapped[2] > 2 * (room[1] - room[0]), "the measured width is that of the range now"
assert columns.max() < room[1], "putText no longer wraps inside the range"
assert rows.max() - rows.min() > 2 * wrapped[3], "the drawn lines fit into the measured height now"
assert missing == 0, "the font lacks Hangul now"
print("as described")
PYTHON
