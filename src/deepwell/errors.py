"""Every mistake a user can make.

The tree::

    DeepwellError
    ├── ConfigError          a setting that does not exist or has a wrong value
    ├── DataError            a file, column, row or image that cannot be used
    │   ├── FileFormatError  the file itself cannot be read
    │   ├── ColumnError      a column is missing, doubled or of the wrong kind
    │   └── ImageError       a picture is broken or too large
    ├── TaskError            the question does not fit the target
    ├── SplitError           the rows cannot be divided as asked
    ├── ModelError           an unknown architecture, or one that does not fit the data
    ├── TrainingError        training cannot go on
    ├── RunError             a run folder is missing, taken or finished
    ├── ArtifactError        a model folder is damaged, foreign or unsafe
    ├── OutputError          a result cannot be written
    ├── MissingExtraError    an optional package is not installed
    └── NotFittedError       asked for a prediction before training

Every text says what was given, what is expected and how to mend it. The command line prints it
as one sentence and ends with exit code 2.
"""

import difflib
from collections.abc import Iterable


class DeepwellError(Exception):
    """Base of all mistakes that Deepwell explains to its user."""

    exit_code = 2


class ConfigError(DeepwellError, ValueError):
    """A setting does not exist or has a wrong value."""


class DataError(DeepwellError, ValueError):
    """A file, column or row cannot be used."""


class FileFormatError(DataError):
    """A file is missing, empty, or not in the format that its name says."""


class ColumnError(DataError):
    """A column is missing, doubled or of the wrong kind."""


class ImageError(DataError):
    """A picture is broken, empty or too large."""


class TaskError(DeepwellError, ValueError):
    """The question does not fit the target column."""


class SplitError(DeepwellError, ValueError):
    """The rows cannot be divided as asked."""


class ModelError(DeepwellError, ValueError):
    """An architecture is unknown or does not fit the data."""


class TrainingError(DeepwellError, RuntimeError):
    """Training cannot go on."""


class RunError(DeepwellError, RuntimeError):
    """A run folder is missing, already there, or already finished."""


class ArtifactError(DeepwellError, ValueError):
    """A model folder is damaged, made by a newer version, or unsafe to open."""


class OutputError(DeepwellError, OSError):
    """A result cannot be written: no permission, no space, or the file is already there."""


class MissingExtraError(DeepwellError, ImportError):
    """An optional package is not installed."""


class NotFittedError(DeepwellError, ValueError, AttributeError):
    """Asked for a prediction before training."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint such as `` Did you mean "price"?``, or an empty string.

    Args:
        name: What the user wrote.
        known: The names that exist.

    Example:
        >>> did_you_mean("prize", ["price", "rooms"])
        ' Did you mean "price"?'
        >>> did_you_mean("zzz", ["price", "rooms"])
        ''
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return f' Did you mean "{by_lower[matches[0]]}"?' if matches else ""


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Join names for a message, shortened when there are many.

    Example:
        >>> listing(["a", "b", "c"], limit=2)
        'a, b, … (3 in all)'
    """
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, … ({len(names)} in all)"
