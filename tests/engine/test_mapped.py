"""Batches out of files: those out of memory, in any order, from any place, no thread left."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_fakes import Classify, KillAt, Killed, engine, mlp, same, timeless, val_rows, weights

from deepwell.engine import Batches, Callback, Checkpoints, MappedBatches, TensorBatches, fit
from deepwell.engine.mapped import ArrayFile
from deepwell.engine.read_ahead import ReadAhead
from deepwell.errors import DataError
from deepwell.types import Batch, StoredBlock, StoredRows

ROWS = 90


def store(
    folder: Path, rows: int = ROWS, *, weighted: bool = True
) -> tuple[StoredRows, TensorBatches]:
    """Write rows to files, and return the same in memory."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 4)).astype(np.float32)
    flags = rng.integers(0, 2, (rows, 2)).astype(np.uint8)
    targets, weight = rng.integers(0, 3, rows), rng.uniform(0.5, 2, rows).astype(np.float32)
    ids = rng.permutation(10 * rows)[:rows]
    arrays = {"numbers": numbers, "flags": flags, "targets": targets, "weight": weight, "ids": ids}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    block = StoredBlock(
        paths=(folder / "numbers.npy", folder / "flags.npy"),
        dtype="float32",
        order=(4, 0, 1, 2, 3, 5),
    )
    stored = StoredRows(
        inputs=(block,),
        targets=folder / "targets.npy",
        ids=folder / "ids.npy",
        weight=folder / "weight.npy" if weighted else None,
    )
    inputs = np.column_stack([flags[:, 0], numbers, flags[:, 1]]).astype(np.float32)
    memory = TensorBatches(
        (inputs,), targets, weight=weight if weighted else None, ids=ids, batch_size=16,
        shuffle=True, seed=5,
    )  # fmt: skip
    return stored, memory


def noisy(inputs: tuple[torch.Tensor, ...], generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    return (inputs[0] + torch.randn(inputs[0].shape, generator=generator),)


def _equal_weights(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)


def equal(one: Iterator[Batch], other: Iterator[Batch]) -> bool:
    first, second = list(one), list(other)
    assert len(first) == len(second)
    return all(
        torch.equal(a.inputs[0], b.inputs[0])
        and torch.equal(a.targets, b.targets)
        and torch.equal(a.ids, b.ids)
        and _equal_weights(a.weight, b.weight)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("rows", [1, 2, 17, 32, 33, 90])
@pytest.mark.parametrize("shuffle", [True, False])
def test_one_window_gives_the_batches_of_memory(tmp_path: Path, rows: int, shuffle: bool):
    stored, memory = store(tmp_path, rows, weighted=rows % 2 == 0)
    memory.shuffle, memory.augment = shuffle, noisy
    mapped = MappedBatches(stored, batch_size=16, shuffle=shuffle, seed=5, augment=noisy)
    assert len(mapped) == len(memory)
    for epoch in (0, 3):
        assert equal(mapped.epoch(epoch), memory.epoch(epoch))


@pytest.mark.parametrize("window_bytes", [1, 700, 2000, 3000])
def test_many_windows_without_shuffle_give_the_batches_of_memory(tmp_path: Path, window_bytes: int):
    for rows in (81, 90, 96, 97):
        stored, memory = store(tmp_path, rows)
        memory.shuffle = False
        mapped = MappedBatches(stored, batch_size=16, window_bytes=window_bytes)
        assert equal(mapped.epoch(0), memory.epoch(0))


@pytest.mark.parametrize("rows", [90, 97, 1000])
def test_many_windows_deal_each_row_once_anew_and_the_same_again(tmp_path: Path, rows: int):
    stored, memory = store(tmp_path, rows)
    mapped = MappedBatches(stored, batch_size=16, shuffle=True, seed=5, window_bytes=2000)
    orders = [
        torch.cat([batch.ids for batch in mapped.epoch(epoch)]).tolist() for epoch in (0, 1, 0)
    ]
    everything = torch.cat([batch.ids for batch in memory.epoch(0)]).tolist()
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(everything)
    assert orders[0] == orders[2] != orders[1]
    # a row keeps its own values wherever it is dealt to
    known = {int(i): x for batch in memory for i, x in zip(batch.ids, batch.inputs[0], strict=True)}
    for batch in mapped.epoch(1):
        for i, x in zip(batch.ids, batch.inputs[0], strict=True):
            assert torch.equal(known[int(i)], x)


def test_rows_far_apart_meet_in_one_batch(tmp_path: Path):
    rows = 4000
    stored, _ = store(tmp_path, rows)
    np.save(tmp_path / "ids.npy", np.arange(rows))
    mapped = MappedBatches(stored, batch_size=50, shuffle=True, seed=1, window_bytes=30_000)
    spread = [float(batch.ids.double().std()) for batch in mapped.epoch(0)]
    # of rows drawn from all, the spread would be rows / √12 = 1155; of one window in order, 200
    assert np.mean(spread) > 900


@pytest.mark.parametrize("start", [0, 1, 2, 3, 5, 6])
def test_an_epoch_is_entered_anywhere(tmp_path: Path, start: int):
    stored, _ = store(tmp_path)
    mapped = MappedBatches(
        stored, batch_size=16, shuffle=True, seed=2, augment=noisy, window_bytes=2000
    )
    assert equal(mapped.epoch(4, start=start), iter(list(mapped.epoch(4))[start:]))


def _train(
    batches: Batches, folder: Path | None = None, *callbacks: Callback
) -> tuple[dict[str, torch.Tensor], object]:
    model = mlp(seed=0, dropout=0.3)
    result = fit(
        model,
        Classify(),
        batches,
        val_batches=val_rows(),
        settings=engine(epochs=3, learning_rate=0.02, checkpoint_every=1),
        callbacks=callbacks,
        checkpoints=None if folder is None else Checkpoints(folder, resume=True),
        seed=5,
    )
    return weights(model), timeless(result.history)


def test_training_from_files_equals_training_from_memory(tmp_path: Path):
    stored, memory = store(tmp_path)
    mapped = MappedBatches(stored, batch_size=16, shuffle=True, seed=5)
    one, other = _train(mapped), _train(memory)
    assert same(one[0], other[0])
    assert one[1] == other[1]


@pytest.mark.parametrize("step", [2, 7, 10])
def test_a_killed_training_from_files_goes_on_bit_for_bit(tmp_path: Path, step: int):
    stored, _ = store(tmp_path)
    mapped = MappedBatches(
        stored, batch_size=16, shuffle=True, seed=5, augment=noisy, window_bytes=2000
    )
    whole = _train(mapped)
    with pytest.raises(Killed):
        _train(mapped, tmp_path / "checkpoints", KillAt(step))
    again = _train(mapped, tmp_path / "checkpoints")
    assert same(whole[0], again[0])
    assert whole[1] == again[1]
    assert _readers() == []


def _readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def _stop_at_once(batches: MappedBatches) -> None:
    for _ in batches.epoch(0):
        raise KeyboardInterrupt


def test_an_abandoned_epoch_leaves_no_thread(tmp_path: Path):
    stored, _ = store(tmp_path)
    mapped = MappedBatches(stored, batch_size=16, window_bytes=1)
    rows = mapped.epoch(0)
    next(rows)
    assert len(_readers()) == 1
    rows.close()
    assert _readers() == []
    with pytest.raises(KeyboardInterrupt):
        _stop_at_once(mapped)
    assert _readers() == []


def test_a_torn_or_missing_file_is_a_sentence(tmp_path: Path):
    stored, _ = store(tmp_path)
    mapped = MappedBatches(stored, batch_size=16, window_bytes=1)
    content = stored.ids.read_bytes()
    stored.ids.write_bytes(content[:-8])
    with pytest.raises(DataError, match=r"ids\.npy is torn"):
        list(mapped)
    stored.ids.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        list(mapped)
    with pytest.raises(DataError, match="missing or damaged"):
        MappedBatches(stored, batch_size=16)
    stored.ids.write_bytes(b"not an array")
    with pytest.raises(DataError, match="missing or damaged"):
        MappedBatches(stored, batch_size=16)
    np.save(stored.ids, np.arange(7))
    with pytest.raises(DataError, match="90 targets and 7 rows of ids"):
        MappedBatches(stored, batch_size=16)
    assert _readers() == []


def test_types_and_layout_on_the_way_to_the_network(tmp_path: Path):
    pictures = np.random.default_rng(0).integers(0, 255, (40, 3, 4, 5)).astype(np.uint8)
    codes = np.random.default_rng(1).integers(0, 9, (40, 2)).astype(np.uint8)
    for name, array in (("p", pictures), ("c", codes), ("y", np.zeros(40, np.float32))):
        np.save(tmp_path / f"{name}.npy", array)
    stored = StoredRows(
        inputs=(
            StoredBlock(paths=(tmp_path / "c.npy",), dtype="int64"),
            StoredBlock(paths=(tmp_path / "p.npy",), dtype="uint8"),
        ),
        targets=tmp_path / "y.npy",
        ids=tmp_path / "y.npy",
    )
    batch = next(MappedBatches(stored, batch_size=8).to("cpu", channels_last=True).epoch(0))
    assert batch.inputs[0].dtype == torch.int64
    assert torch.equal(batch.inputs[0], torch.from_numpy(codes[:8]).long())
    assert batch.inputs[1].dtype == torch.uint8
    assert torch.equal(batch.inputs[1], torch.from_numpy(pictures[:8]))
    assert batch.inputs[1].is_contiguous(memory_format=torch.channels_last)


def test_places_of_a_file_are_read_one_after_the_other(tmp_path: Path):
    array = np.arange(60.0).reshape(20, 3)
    np.save(tmp_path / "a.npy", array)
    file = ArrayFile.open(tmp_path / "a.npy")
    read = file.read([(17, 3), (0, 2), (5, 1)], 6)
    np.testing.assert_array_equal(read, array[[17, 18, 19, 0, 1, 5]])


def test_reading_ahead_is_one_ahead_and_no_more():
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    with ReadAhead(make, range(10)) as ahead:
        for number in ahead:
            deadline = time.monotonic() + 5
            while len(made) < min(number + 2, 10) and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.005)
            assert made == list(range(min(number + 2, 10)))


def test_what_goes_wrong_while_reading_ahead_is_raised_where_it_is_missed():
    def make(number: int) -> int:
        if number == 2:
            raise OSError("the disk is gone")
        return number

    seen: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"), ReadAhead(make, range(5)) as ahead:
        seen.extend(ahead)
    assert seen == [0, 1]
    assert _readers() == []
