import errno
import struct
import zlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deepwell.engine import Checkpoints, read_checkpoint
from deepwell.errors import OutputError, RunError

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b.c": torch.tensor(True),
    "d": torch.zeros(0, 2, dtype=torch.bfloat16),
    "e": torch.arange(5, dtype=torch.uint8),
}


def test_tensors_and_state_come_back_as_they_were(tmp_path: Path):
    state = {"numbers": [0.1, 1e-300], "none": None, "text": "ä"}
    path = Checkpoints(tmp_path).save(3, TENSORS, state)
    read = read_checkpoint(path)
    assert read.state == state
    assert read.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert read.tensors[name].dtype == tensor.dtype
        assert torch.equal(read.tensors[name], tensor)


def test_shared_and_strided_tensors_can_be_saved(tmp_path: Path):
    whole = torch.rand(4, 3, 2, 2)
    tensors = {
        "whole": whole,
        "tied": whole,
        "part": whole[1:],
        "strided": whole.to(memory_format=torch.channels_last),
    }
    read = read_checkpoint(Checkpoints(tmp_path).save(0, tensors, {}))
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in tensors.items())


def test_the_newest_two_stay_and_strangers_are_left_alone(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 30, 200):
        checkpoints.save(step, TENSORS, {"step": step})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["notes.txt", "step-0000000030.safetensors", "step-0000000200.safetensors"]
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.state == {"step": 200}


def test_an_empty_or_missing_folder_has_no_latest(tmp_path: Path):
    assert Checkpoints(tmp_path).latest() is None
    assert Checkpoints(tmp_path / "missing").latest() is None


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _zero_bytes(path: Path) -> None:
    path.write_bytes(b"")


def _flipped_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


def _foreign(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path)


def _newer(path: Path) -> None:
    metadata = {"format": "deepwell checkpoint", "version": "99"}
    save_file({"weight": torch.ones(2)}, path, metadata=metadata)


def _pickle(path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, path)


def _huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")


SPOILERS = [
    (_torn, "damaged or incomplete"),
    (_zero_bytes, "damaged or incomplete"),
    (_flipped_bit, "checksum does not fit"),
    (_foreign, "not written by Deepwell"),
    (_newer, "has format 99"),
    (_pickle, "damaged or incomplete"),
    (_huge_header, "damaged or incomplete"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILERS)
def test_a_bad_file_is_refused_and_the_one_before_is_used(
    tmp_path: Path, spoil: object, words: str, caplog: pytest.LogCaptureFixture
):
    checkpoints = Checkpoints(tmp_path)
    older = checkpoints.save(1, TENSORS, {"step": 1})
    newer = checkpoints.save(2, TENSORS, {"step": 2})
    spoil(newer)  # type: ignore[operator]
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.state == {"step": 1}
    assert words in caplog.text
    caplog.clear()
    assert checkpoints.latest(tells=False) is not None
    assert not caplog.text
    spoil(older)  # type: ignore[operator]
    with pytest.raises(RunError) as caught:
        checkpoints.latest()
    assert words in str(caught.value)
    assert newer.name in str(caught.value)


def _accepted(path: Path, changed: bytes) -> bool:
    """Return whether changed content is taken for a checkpoint; any other error fails the test."""
    path.write_bytes(changed)
    try:
        read_checkpoint(path)
    except RunError:
        return False
    return True


def test_every_flipped_bit_and_every_length_is_noticed(tmp_path: Path):
    state = {"step": 12, "rate": 0.25, "name": "ä", "seen": [True, None]}
    path = Checkpoints(tmp_path).save(1, TENSORS, state)
    whole = path.read_bytes()
    assert _accepted(path, whole)
    for place in range(len(whole)):
        for bit in (1, 32):
            flipped = bytearray(whole)
            flipped[place] ^= bit
            assert not _accepted(path, bytes(flipped)), (place, flipped[max(0, place - 9) : place])
    assert not any(_accepted(path, whole[:length]) for length in range(len(whole)))


def test_files_of_the_first_format_are_read(tmp_path: Path):
    # their checksum was of names and bytes, in the order of the names
    checksum = 0
    for name, tensor in sorted(TENSORS.items()):
        data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        checksum = zlib.crc32(data, zlib.crc32(name.encode(), checksum))
    metadata = {"format": "deepwell checkpoint", "version": "1", "checksum": str(checksum)}
    path = tmp_path / "step-0000000001.safetensors"
    save_file(TENSORS, path, metadata={**metadata, "state": '{"step": 1}'})
    assert read_checkpoint(path).state == {"step": 1}
    save_file(TENSORS, path, metadata={**metadata, "state": '{"step": 1'})
    with pytest.raises(RunError, match="damaged"):
        read_checkpoint(path)


def test_what_a_kill_left_half_written_is_swept_away(tmp_path: Path):
    half = tmp_path / ".step-0000000001.abc.tmp.safetensors"
    half.write_bytes(b"half")
    other = tmp_path / ".notes.tmp.safetensors"
    other.write_bytes(b"mine")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, TENSORS, {})
    assert not half.exists()
    assert other.exists()


def test_later_strangers_do_not_crowd_out_what_was_just_saved(tmp_path: Path):
    for step in (7, 8, 9):
        _foreign(tmp_path / f"step-{step:010d}.safetensors")
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save(step, TENSORS, {"step": step})
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.state == {"step": 3}
    assert len(checkpoints.paths()) == 2 + 3


def test_a_full_disk_leaves_the_old_checkpoint_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from safetensors import SafetensorError

    from deepwell.engine import checkpoint

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, TENSORS, {"step": 1})

    def full(*_: object, **__: object) -> None:
        raise SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        checkpoints.save(2, TENSORS, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001.safetensors"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        Checkpoints(tmp_path / "file" / "points").save(1, TENSORS, {})
