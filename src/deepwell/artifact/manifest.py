"""The manifest: which format a model folder has, who wrote it, and the hash of every file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from deepwell.artifact.folder import FILES, MANIFEST, OPTIONAL
from deepwell.errors import ArtifactError, listing
from deepwell.files import read_json, sha256, write_json
from deepwell.version import __version__

FORMAT = "deepwell-model"
FORMAT_VERSION = 3
"""The newest format that is read. A folder is written in the oldest one that can hold it: 3 with
draws, folds or quantiles, 2 with any other decision, else 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `manifest.json` says.

    Args:
        format: Always "deepwell-model".
        format_version: Version of the layout of the folder, 1 to 3.
        deepwell: The version of Deepwell that wrote the folder.
        created: When, as ISO 8601 in UTC.
        files: File name to SHA-256.
    """

    format: str
    format_version: int
    deepwell: str
    created: str
    files: dict[str, str]


def write_manifest(folder: Path, *, needs: int = 1) -> Manifest:
    """Hash the files of a complete folder and write `manifest.json`.

    Args:
        folder: With all other files.
        needs: The oldest format that can hold what is in them.

    Raises:
        OutputError: The place cannot be written or the disk is full.
    """
    further = [name for name in OPTIONAL if (folder / name).is_file()]
    manifest = Manifest(
        format=FORMAT,
        format_version=max(needs, 2 if further else 1),
        deepwell=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={name: sha256(folder / name) for name in (*FILES, *further)},
    )
    write_json(folder / MANIFEST, asdict(manifest))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` and check that this Deepwell understands the format.

    Raises:
        ArtifactError: It is not a manifest of ours, or the format is newer.
    """
    state = read_part(folder, MANIFEST)
    if not isinstance(state, Mapping) or cast(Any, state).get("format") != FORMAT:
        raise ArtifactError(
            f'{folder} is not a model folder: {MANIFEST} does not say "format": "{FORMAT}".'
        )
    fields = cast(Mapping[str, Any], state)
    version = fields.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ArtifactError(
            f"{folder / MANIFEST} is damaged: format_version must be a whole number from 1, "
            f"got {version!r}."
        )
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} was made by a newer Deepwell (format {version}); this one reads up to "
            f"{FORMAT_VERSION}: upgrade with pip install -U deepwell"
        )
    return Manifest(
        format=FORMAT,
        format_version=version,
        deepwell=str(fields.get("deepwell", "unknown")),
        created=str(fields.get("created", "unknown")),
        files=_files(folder, fields.get("files"), OPTIONAL if version > 1 else ()),
    )


def _files(folder: Path, files: Any, optional: tuple[str, ...]) -> dict[str, str]:
    """Check that only the known names are listed, so that no path can lead elsewhere."""
    names = list(cast(Any, files)) if isinstance(files, Mapping) else []
    lacking = [name for name in FILES if name not in names]
    strange = [str(name) for name in names if name not in (*FILES, *optional)]
    if lacking or strange:
        parts = [f"it lacks {listing(lacking)}"] if lacking else []
        parts += [f"it names {listing(strange)}, which has no place there"] if strange else []
        raise ArtifactError(f"{folder / MANIFEST} is damaged: {' and '.join(parts)}.")
    return {name: str(cast(Any, files)[name]) for name in (*FILES, *optional) if name in names}


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check that every listed file is there and is the one that was written.

    Raises:
        ArtifactError: A file is missing or has changed; all such files are named.
    """
    missing = [name for name in manifest.files if not (folder / name).is_file()]
    if missing:
        raise ArtifactError(
            f"The model folder {folder} is incomplete: {listing(missing)} is missing. "
            "Copy the whole folder again."
        )
    try:
        changed = [name for name, sum_ in manifest.files.items() if sha256(folder / name) != sum_]
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read: {error.strerror}.") from error
    if changed:
        raise ArtifactError(
            f"The model folder {folder} is damaged or was tampered with: {listing(changed)} "
            f"differs from its hash in {MANIFEST}. Copy the whole folder again."
        )


def read_part(folder: Path, name: str) -> Any:
    """Read one JSON file of a model folder.

    Raises:
        ArtifactError: It cannot be read or is not JSON.
    """
    try:
        return read_json(folder / name)
    except OSError as error:
        raise ArtifactError(f"{folder / name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{folder / name} is damaged: it is not JSON ({error}).") from error
