"""Reads JSON files from elsewhere, or refuses them in one line."""

import json
from pathlib import Path
from typing import Any

from bearing_search.errors import DataError


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: not a JSON file ({error}).") from None


def json_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it holds anything else or is not JSON."""
    try:
        content = read_json(file)
    except DataError:
        return {}
    return content if isinstance(content, dict) else {}
