"""Tells apart how MLflow fails: it does not respond, it refuses something, or a run is gone."""

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

    return MlflowException, SQLAlchemyError, OSError


def is_refusal(error: Exception) -> bool:
    """Whether MLflow is there, and refuses what it was asked for."""
    return getattr(error, "error_code", "") in _REFUSALS


def is_gone(error: Exception) -> bool:
    """Whether a run was deleted for good."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def first_line(error: Exception) -> str:
    """An error's message in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
