"""Which row of a file is at fault, when a piece of it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import polars as pl

from deepwell.data.cells import Locate
from deepwell.data.stream import Chunk
from deepwell.errors import DataError, DeepwellError, SplitError, TaskError

Result = TypeVar("Result")
Work = Callable[[pl.DataFrame, Locate, int], Result]
"""Called with rows, a function that says where each stands, and the number of rows before them."""


def naming_rows(chunk: Chunk, work: Work[Result]) -> Result:
    """Work on a chunk; where a row is refused, say which row of the file it is.

    The first one is found by halving: the rows before it pass, and with it they do not.

    Args:
        chunk: Rows of a file.
        work: Raises a data, task or split error for rows that it refuses.

    Raises:
        DeepwellError: As `work` raised it, with the place of the row in the file.
    """
    try:
        return work(chunk.frame, chunk.locate, chunk.start)
    except (DataError, TaskError, SplitError) as error:
        first = error
    low, high = 0, chunk.frame.height
    while high - low > 1:
        middle = (low + high) // 2
        if _refusal(chunk, work, low, middle) is None:
            low = middle
        else:
            high = middle
    alone = _refusal(chunk, work, low, high)
    if alone is None:
        raise first  # no single row is at fault
    raise type(alone)(with_place(str(alone), chunk.locate(low))) from first


def _refusal(chunk: Chunk, work: Work[Result], low: int, high: int) -> DeepwellError | None:
    try:
        work(chunk.frame[low:high], lambda row: chunk.locate(low + row), chunk.start + low)
    except (DataError, TaskError, SplitError) as error:
        return error
    return None


def with_place(message: str, place: str) -> str:
    """Return the message about the first of one row with the place of that row.

    Example:
        >>> with_place('row 1 holds "x"', "line 7 of a.csv")
        'line 7 of a.csv holds "x"'
    """
    if place in message:
        return message
    named = re.sub(r"\brow 1\b", place, message, count=1)
    return named if named != message else f"{place[0].upper()}{place[1:]}: {message}"
