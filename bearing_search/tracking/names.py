"""Names and texts as MLflow accepts them: escaped so that no two coincide, and cut with a digest.

MLflow 3.17 allows letters, digits and `/ _ . - : space` in at most 250 characters, refuses names
that are not normal paths, and silently cuts values of parameters and tags.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from bearing_search.filesystem.digest import sha256_of_text

MAX_NAME = 250
MAX_PARAM = 6000
MAX_TAG = 5000
"""Characters of a tag that every release of MLflow 3 stores."""

_DIGEST_DIGITS = 16
_OTHER = re.compile(r"[^\w.\- ]")


def allowed(name: str) -> str:
    """A name that MLflow accepts; two names never become one.

    A character that MLflow refuses becomes its code, `+` for example `:2b:`; a colon does, too. A
    name that is too long ends with its digest.
    """
    escaped = "/".join(map(_segment, name.split("/")))
    if len(escaped) <= MAX_NAME:
        return escaped
    digest = sha256_of_text(escaped)[:_DIGEST_DIGITS]
    return f"{escaped[: MAX_NAME - _DIGEST_DIGITS - 1]}-{digest}"


def cut_names(names: Iterable[str]) -> dict[str, str]:
    """Name in MLflow -> whole name, for the names that are too long for it."""
    short = {allowed(name): name for name in names}
    return {cut: name for cut, name in short.items() if len(cut) < len(name)}


def param_text(value: Any) -> str:
    """A parameter's value as JSON; if it is too long, its beginning and digest as a JSON object."""
    text = _storable(json.dumps(value, ensure_ascii=False))
    if len(text) <= MAX_PARAM:
        return text
    cut = {"begins": text[: MAX_PARAM // 4], "sha256": sha256_of_text(text), "in": "params.json"}
    return json.dumps(cut, ensure_ascii=False)


def tag_text(text: str) -> str:
    """A tag's text; if it is too long, its beginning and digest."""
    text = _storable(text)
    if len(text) <= MAX_TAG:
        return text
    end = f" ... (cut, sha256 {sha256_of_text(text)[:_DIGEST_DIGITS]})"
    return text[: MAX_TAG - len(end)] + end


def _storable(text: str) -> str:
    """The text without what a database refuses: halves of characters, and zero."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _segment(text: str) -> str:
    """One part of a path, so that it is a part of a normal path."""
    if text in ("", ".", ".."):
        return ":2e:" * len(text) or "::"
    return _OTHER.sub(lambda found: f":{ord(found[0]):x}:", text)
