"""Divides what is logged into batches that MLflow accepts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

MOST_METRICS, MOST_TEXTS = 1000, 40
"""Most metrics, and most parameters or tags, of one batch: MLflow 3.17 takes 1000, 100 and 1 MB."""

T = TypeVar("T")


def batches(items: Sequence[T], most: int) -> Iterator[list[T]]:
    """The items in order, at most so many at a time."""
    return (list(items[first : first + most]) for first in range(0, len(items), most))
