"""Tells apart how MLflow fails: it does not respond, it refuses something, or a run is gone."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bearing_search.errors import ResourceError

_REFUSALS = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}


def unavailable() -> tuple[type[Exception], ...]:
    """Exceptions that MLflow raises when its store is unreachable, full, locked or rejects data."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError


def is_refusal(error: Exception) -> bool:
    """Whether MLflow is there, and refuses what it was asked for."""
    return getattr(error, "error_code", "") in _REFUSALS


def is_gone(error: Exception) -> bool:
    """Whether a run was deleted for good."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def first_line(error: Exception) -> str:
    """An error's message in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Convert what MLflow raises into an error with a one-line explanation.

    Raises:
        ResourceError: the store cannot be used.
    """
    try:
        yield
    except ImportError as error:
        raise ResourceError(
            f"MLflow cannot be used at {uri}: its Python driver is not installed ({error})"
        ) from None
    except unavailable() as error:
        raise ResourceError(f"MLflow cannot be used at {uri}: {first_line(error)}") from error
