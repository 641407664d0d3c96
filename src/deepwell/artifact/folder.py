"""The model folder as files on a disk: their names, where the folder is, how it is replaced."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from deepwell.errors import ArtifactError, OutputError, did_you_mean
from deepwell.files import explain_os_error

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
ARCHITECTURE = "architecture.json"
TASK = "task.json"
SCHEMA = "schema.json"
ENCODERS = "encoders.json"
GOLDEN = "golden.json"
CARD = "README.md"
DECISION = "decision.json"

FILES = (WEIGHTS, ARCHITECTURE, TASK, SCHEMA, ENCODERS, GOLDEN, CARD)
"""What a model folder holds beside the manifest, which lists the hash of each."""
OPTIONAL = (DECISION,)
"""What it may hold as well, since format 2."""

MODEL_OF_RUN = "model"
"""The folder of the model inside a run folder."""
STATUS_OF_RUN = "status.json"


def locate(path: str | Path) -> Path:
    """Return the model folder that a path means: itself, or `model/` inside a run folder.

    Raises:
        ArtifactError: There is no model folder at the path.
    """
    folder = Path(path)
    if folder.is_file():
        raise ArtifactError(
            f"{folder} is a file: give the model folder, in which {MANIFEST} and {WEIGHTS} are."
        )
    if not folder.is_dir():
        parent = folder.parent
        neighbours = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
        hint = did_you_mean(folder.name, neighbours)
        raise ArtifactError(f"There is no model folder {folder}.{hint}")
    for candidate in (folder, folder / MODEL_OF_RUN):
        if (candidate / MANIFEST).is_file() and not (candidate / STATUS_OF_RUN).exists():
            return candidate
    raise ArtifactError(_why_no_model(folder))


def _why_no_model(folder: Path) -> str:
    if (folder / STATUS_OF_RUN).exists():
        return (
            f"The run folder {folder} has no model yet, because its training has not ended: "
            f"go on with: deepwell resume {folder}"
        )
    inner = [p for p in sorted(folder.iterdir()) if p.is_dir() and is_taken_by_a_model(p)]
    hint = f' Did you mean "{inner[0]}"?' if inner else ""
    return f"{folder} is not a model folder: it has no {MANIFEST}.{hint}"


def is_taken_by_a_model(folder: Path) -> bool:
    """Say whether a folder is a model folder or a run folder with a model inside."""
    return any(
        (candidate / MANIFEST).is_file() and (candidate / WEIGHTS).is_file()
        for candidate in (folder, folder / MODEL_OF_RUN)
    )


@contextlib.contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """Yield an empty folder beside `path`; it takes its place on success, is deleted on failure.

    A model folder that is already at `path` is moved aside only when the new one is complete, and
    is put back if the new one cannot take its place.

    Args:
        path: Where the finished folder shall be.

    Raises:
        OutputError: Something else than a model folder is at `path`, the place cannot be written,
            or the disk is full.
    """
    _refuse_to_replace(path)
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        _take_place(temporary, path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise OutputError(str(error).replace(str(temporary), str(path))) from error
        raise explain_os_error(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse_to_replace(path: Path) -> None:
    try:
        is_other = path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError as error:
        raise explain_os_error(error, path) from error
    is_model = (path / MANIFEST).is_file() and (path / WEIGHTS).is_file()
    if is_other and not is_model:
        raise OutputError(
            f"{path} exists and is not a model folder: choose another name or remove it first."
        )


def _take_place(finished: Path, path: Path) -> None:
    """Rename `finished` to `path`; what was there is kept aside until that has succeeded."""
    if not path.exists():
        os.replace(finished, path)
        return
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
    try:
        os.replace(path, aside / path.name)
        try:
            os.replace(finished, path)
        except BaseException:
            os.replace(aside / path.name, path)
            raise
    finally:
        if path.exists():  # otherwise the old model is in there, and must not be lost
            shutil.rmtree(aside, ignore_errors=True)
