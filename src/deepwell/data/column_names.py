"""Names of columns as people write them in a first line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from deepwell.data.cells import is_number
from deepwell.errors import ColumnError, listing


def clean_names(names: Iterable[str], source: str) -> list[str]:
    """Strip the names, give nameless columns one, and refuse doubled names.

    Args:
        names: As they stand in the file.
        source: The file or object, for messages.

    Raises:
        ColumnError: Two columns have the same name, or there are numbers in place of names.

    Example:
        >>> clean_names([" price ", ""], "houses.csv")
        ['price', 'column_2']
        >>> clean_names(["a", "b", "a "], "a.csv")
        Traceback (most recent call last):
            ...
        deepwell.errors.ColumnError: a.csv has several columns named "a": give each its own name.
    """
    stripped = [name.strip() for name in names]
    _refuse_values(stripped, source)
    result = [name or f"column_{number}" for number, name in enumerate(stripped, start=1)]
    doubled = [f'"{name}"' for name, count in Counter(result).items() if count > 1]
    if doubled:
        raise ColumnError(
            f"{source} has several columns named {listing(doubled)}: give each its own name."
        )
    return result


def _refuse_values(names: list[str], source: str) -> None:
    """Refuse a header that holds values: most of it are numbers with a decimal point."""
    decimals = [name for name in names if "." in name and is_number(name)]
    if 2 * len(decimals) >= len(names) > 0:
        raise ColumnError(
            f"{source} seems to have no header: its first line holds values such as "
            f"{listing(decimals, limit=3)}; put the column names in the first line."
        )
