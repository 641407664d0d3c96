import errno
import os
from pathlib import Path

import pytest

from deepwell.artifact import folder as folder_module
from deepwell.artifact.folder import atomic_folder, locate
from deepwell.errors import ArtifactError, OutputError


def fake_model(path: Path, content: str = "old") -> Path:
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    (path / "model.safetensors").write_text(content)
    return path


def write(path: Path, failure: BaseException | None = None) -> None:
    with atomic_folder(path) as temporary:
        (temporary / "manifest.json").write_text("{}")
        if failure:
            raise failure
        (temporary / "model.safetensors").write_text("new")


def test_new_folder_appears_complete_and_alone(tmp_path: Path) -> None:
    write(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_text() == "new"
    assert os.listdir(tmp_path) == ["model"]
    assert (tmp_path / "model").stat().st_mode & 0o700 == 0o700


def test_old_model_is_replaced_whole(tmp_path: Path) -> None:
    old = fake_model(tmp_path / "model")
    (old / "left_over.txt").write_text("x")
    write(old)
    assert sorted(os.listdir(old)) == ["manifest.json", "model.safetensors"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), ValueError(), OSError(errno.ENOSPC, "")])
def test_failure_leaves_the_old_model_and_no_rest(tmp_path: Path, reason: BaseException) -> None:
    old = fake_model(tmp_path / "model")
    expected = OutputError if isinstance(reason, OSError) else type(reason)
    with pytest.raises(expected):
        write(old, reason)
    assert (old / "model.safetensors").read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_old_model_comes_back_if_the_last_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_model(tmp_path / "model")
    replace = os.replace

    def fails_for_the_new(source: Path, target: Path) -> None:
        if str(source).endswith(".tmp"):
            raise OSError(errno.EACCES, "no")
        replace(source, target)

    monkeypatch.setattr(folder_module.os, "replace", fails_for_the_new)
    with pytest.raises(OutputError, match="No permission"):
        write(old)
    assert (old / "model.safetensors").read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_foreign_folder_and_file_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("mine", "file"):
        with pytest.raises(OutputError, match="is not a model folder"):
            write(tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write(tmp_path / "model")
    assert (tmp_path / "model" / "manifest.json").exists()


def test_missing_parent_is_explained(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist: create it first"):
        write(tmp_path / "no" / "model")


def test_locate_finds_model_and_model_of_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = fake_model(run / "model")
    (run / "manifest.json").write_text("{}")
    (run / "status.json").write_text("{}")
    assert locate(model) == model
    assert locate(str(run)) == model


def test_run_without_model_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"deepwell resume "):
        locate(tmp_path)


def test_wrong_places_are_explained(tmp_path: Path) -> None:
    fake_model(tmp_path / "houses" / "model")
    with pytest.raises(ArtifactError, match=r'Did you mean "houses"\?'):
        locate(tmp_path / "house")
    with pytest.raises(ArtifactError, match=r'Did you mean ".*houses"\?'):
        locate(tmp_path)
    with pytest.raises(ArtifactError, match="is a file: give the model folder"):
        locate(tmp_path / "houses" / "model" / "manifest.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="is not a model folder"):
        locate(tmp_path / "empty")
