"""Nothing in a model folder is ever executed: pickles are refused before anything is opened."""

import os
from pathlib import Path

from deepwell.errors import ArtifactError

PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".dill", ".joblib", ".pt", ".pth", ".ckpt", ".bin"})
"""Names under which pickled Python objects and torch checkpoints are usually stored."""

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HEAD_SIZE = 9  # 8 bytes of header length and the first of the header of a safetensors file


def refuse_pickles(folder: Path) -> None:
    """Look at the name and the first bytes of every file, and at no more than that.

    A pickle runs code when it is opened; a torch checkpoint is a zip file around a pickle. No
    file of Deepwell is either, so their presence means that someone has put them there.

    Args:
        folder: The model folder; folders inside it are looked at as well.

    Raises:
        ArtifactError: A file is a pickle or a zip file, by content or by name.
    """
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent) / name
            nature = unsafe_nature(path)
            if nature:
                raise ArtifactError(
                    f"The model folder {folder} is refused: {path.relative_to(folder)} is "
                    f"{nature}, which can run code when it is opened. Nothing of it was opened. "
                    "Remove the file only if you trust where the folder comes from."
                )


def unsafe_nature(path: Path) -> str | None:
    """Say what an unsafe file is, or None for a harmless one.

    Example:
        >>> import pickle, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.txt"
        >>> _ = path.write_bytes(pickle.dumps([1, 2]))
        >>> unsafe_nature(path)
        'a Python pickle'
    """
    if not path.is_file():  # a pipe or a device would block when it is opened
        return None
    suffix = path.suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        return f"a pickle or a torch checkpoint by its name ({suffix})"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_SIZE)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if suffix == ".safetensors" and head[8:9] == b"{":
        return None  # the length of the header may well begin like a pickle: 0x80 0x04
    if head[:1] == b"\x80" and head[1:2] in (b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle"
    if head.startswith(_ZIP_STARTS):
        return "a zip file, as torch.save writes it"
    return None
