"""What picture files say of themselves beside what they show: size, format, name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from deepwell.data.table import Table


def picture_paths(table: Table, image: str, source: Path | None) -> list[Path] | None:
    """Return the files of a column of pictures, or None if the pictures came as arrays.

    Args:
        table: As it was read: the paths stand beside the pictures.
        image: Name of the column of pictures.
        source: The folder of pictures, or the file of the table; None for objects of Python.
    """
    after = table.names[table.names.index(image) + 1 :]
    names = [n for n in after if n.rstrip("_") in ("file", f"{image}_file")]
    if not names:
        return None
    column = table[names[0]]
    if not isinstance(column, pl.Series) or column.dtype != pl.String:
        return None
    folder = Path() if source is None else source if source.is_dir() else source.parent
    paths = [Path(path or "").expanduser() for path in column]
    return [folder / path if (folder / path).exists() else path for path in paths]


def picture_facts(files: Sequence[Path]) -> pl.DataFrame:
    """Read width, height and format of picture files from their first bytes.

    Args:
        files: Picture files; a file that cannot be read gets null.

    Returns:
        Columns `width`, `height` (pixels), `format` and `name` (letters of the file's name).
    """
    from PIL import Image

    rows: list[tuple[int | None, int | None, str | None, str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            letters = re.sub(r"[\W\d_]+", " ", path.stem).strip().lower()
            try:
                with Image.open(path) as picture:
                    rows.append((picture.width, picture.height, picture.format, letters))
            except Exception:  # Pillow raises many kinds; the pictures themselves are judged apart
                rows.append((None, None, None, letters))
    schema = {"width": pl.Int64, "height": pl.Int64, "format": pl.String, "name": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
