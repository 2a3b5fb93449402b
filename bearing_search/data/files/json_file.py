"""JSON files of other people: read, or refused in one line."""

import json
from pathlib import Path
from typing import Any

from bearing_search.errors import DataError


def read_json(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        DataError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: is no JSON file ({error}).") from None


def json_object(file: Path) -> dict[str, Any]:
    """What a JSON file holds if that is an object; empty: it is something else, or no JSON."""
    try:
        content = read_json(file)
    except DataError:
        return {}
    return content if isinstance(content, dict) else {}
