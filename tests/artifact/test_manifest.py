import json
from pathlib import Path

import pytest

from deepwell.artifact.folder import FILES
from deepwell.artifact.manifest import check_files, read_manifest, write_manifest
from deepwell.errors import ArtifactError
from deepwell.version import __version__


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text(name)
    write_manifest(tmp_path)
    return tmp_path


def change(folder: Path, **fields: object) -> None:
    state = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**state, **fields}))


def test_untouched_folder_passes(folder: Path) -> None:
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    assert manifest.deepwell == __version__
    assert set(manifest.files) == set(FILES)


def test_newer_format_says_to_upgrade(folder: Path) -> None:
    change(folder, format_version=4)
    expected = r"newer Deepwell \(format 4\); this one reads up to 3: upgrade with pip install -U"
    with pytest.raises(ArtifactError, match=expected):
        read_manifest(folder)


def test_newer_format_is_told_before_its_unknown_files(folder: Path) -> None:
    change(folder, format_version=7, files={"weights.bin": "00"})
    with pytest.raises(ArtifactError, match="newer Deepwell"):
        read_manifest(folder)


@pytest.mark.parametrize("version", ["1", 0, None, 1.5])
def test_senseless_version_is_refused(folder: Path, version: object) -> None:
    change(folder, format_version=version)
    with pytest.raises(ArtifactError, match="format_version must be a whole number"):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": "other"}', "[" * 100_000, "\x00"])
def test_something_else_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError):
        read_manifest(folder)


def test_missing_files_are_all_named(folder: Path) -> None:
    (folder / "task.json").unlink()
    (folder / "golden.json").unlink()
    with pytest.raises(ArtifactError, match=r"task\.json, golden\.json is missing"):
        check_files(folder, read_manifest(folder))


def test_changed_file_is_named(folder: Path) -> None:
    (folder / "encoders.json").write_text("other")
    with pytest.raises(ArtifactError, match=r"encoders\.json differs from its hash"):
        check_files(folder, read_manifest(folder))


def test_manifest_cannot_name_files_elsewhere(folder: Path) -> None:
    files = read_manifest(folder).files
    change(folder, files={**files, "../../secret": "00"})
    with pytest.raises(ArtifactError, match=r"names \.\./\.\./secret"):
        read_manifest(folder)


def test_manifest_cannot_leave_a_file_out(folder: Path) -> None:
    files = read_manifest(folder).files
    del files["model.safetensors"]
    change(folder, files=files)
    with pytest.raises(ArtifactError, match=r"lacks model\.safetensors"):
        read_manifest(folder)
