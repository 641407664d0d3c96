import io
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deepwell.artifact.safety import refuse_pickles, unsafe_nature
from deepwell.errors import ArtifactError


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_is_recognised_by_content(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "notes.txt").write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    with pytest.raises(ArtifactError, match=r"notes\.txt is a Python pickle"):
        refuse_pickles(tmp_path)


@pytest.mark.parametrize("name", ["a.pkl", "a.PT", "a.pth", "pytorch_model.bin", "a.joblib"])
def test_pickle_is_recognised_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"(lp0\n.")  # protocol 0 has no first byte of its own
    with pytest.raises(ArtifactError, match="by its name"):
        refuse_pickles(tmp_path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_checkpoint_is_recognised_under_another_name(tmp_path: Path, is_zip: bool) -> None:
    stream = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, stream, _use_new_zipfile_serialization=is_zip)
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    (inner / "data.json").write_bytes(stream.getvalue())
    with pytest.raises(ArtifactError, match=r"deep/er/data\.json"):
        refuse_pickles(tmp_path)


def test_harmless_files_pass(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("PKs are fine, so is €")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    refuse_pickles(tmp_path)


def test_weights_whose_header_begins_like_a_pickle_pass(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for length in range(1000, 1152):  # a header of 0x0480 bytes starts with 80 04
        save_file({"w": torch.zeros(1)}, path, metadata={"note": "x" * length})
        if path.read_bytes()[:2] == b"\x80\x04":
            break
    assert path.read_bytes()[:2] == b"\x80\x04"
    assert unsafe_nature(path) is None


def test_pickle_under_the_name_of_weights_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps({"w": [1.0, 2.0]}))
    assert unsafe_nature(path) == "a Python pickle"
