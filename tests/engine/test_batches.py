import numpy as np
import pytest
import torch
from engine_fakes import noisy
from torch.utils.data import DataLoader, TensorDataset

from deepwell.engine import TensorBatches, as_batches
from deepwell.errors import DataError
from deepwell.types import Batch


def _rows(count: int = 10, **options: object) -> TensorBatches:
    inputs = torch.arange(float(count))[:, None]
    return TensorBatches((inputs,), torch.arange(count), **{"batch_size": 4, **options})


def _sizes(batches: TensorBatches) -> list[int]:
    return [len(batch.targets) for batch in batches.epoch(0)]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    ("count", "sizes"), [(10, [4, 4, 2]), (8, [4, 4]), (9, [4, 5]), (1, [1]), (3, [3]), (5, [5])]
)
def test_last_batch_is_kept_and_a_single_row_joins(count: int, sizes: list[int], shuffle: bool):
    batches = _rows(count, shuffle=shuffle)
    assert _sizes(batches) == sizes
    assert len(batches) == len(sizes)


def test_batches_of_one_row_are_allowed():
    assert _sizes(_rows(3, batch_size=1)) == [1, 1, 1]


def test_every_row_comes_once_with_its_own_target_weight_and_id():
    batches = _rows(shuffle=True, weight=torch.arange(10) * 2.0, ids=np.arange(10) + 100)
    seen = list(batches.epoch(5))
    targets = torch.cat([batch.targets for batch in seen])
    assert sorted(targets.tolist()) == list(range(10))
    assert targets.tolist() != list(range(10))
    assert torch.cat([batch.inputs[0] for batch in seen])[:, 0].tolist() == targets.tolist()
    assert torch.cat([b.weight for b in seen if b.weight is not None]).equal(targets * 2.0)
    assert torch.cat([batch.ids for batch in seen]).equal(targets + 100)


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed: int, epoch: int) -> list[int]:
        torch.rand(1)  # the global numbers move on
        rows = _rows(40, shuffle=True, seed=seed)
        return torch.cat([batch.targets for batch in rows.epoch(epoch)]).tolist()

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (1, 2)}) == 4


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_can_be_entered_anywhere(shuffle: bool):
    batches = _rows(21, shuffle=shuffle, augment=noisy, seed=7)
    whole = list(batches.epoch(3))
    for start in range(len(batches) + 1):
        rest = list(batches.epoch(3, start=start))
        assert len(rest) == len(whole) - start
        for one, other in zip(rest, whole[start:], strict=True):
            assert torch.equal(one.inputs[0], other.inputs[0])
            assert torch.equal(one.targets, other.targets)


def test_augmentation_differs_between_batches_and_epochs_and_leaves_the_rows_alone():
    inputs = torch.zeros(8, 2)
    batches = TensorBatches((inputs,), torch.zeros(8), batch_size=4, augment=noisy)
    pictures = [batch.inputs[0] for epoch in (0, 1) for batch in batches.epoch(epoch)]
    assert len({tuple(picture.flatten().tolist()) for picture in pictures}) == 4
    assert inputs.count_nonzero() == 0


def test_without_shuffle_nothing_is_copied():
    inputs = torch.zeros(8, 2)
    batches = TensorBatches((inputs,), torch.zeros(8), batch_size=4)
    first = next(iter(batches))
    assert first.inputs[0].data_ptr() == inputs.data_ptr()


def test_arrays_are_wrapped_without_a_copy_unless_they_are_read_only():
    array = np.zeros((4, 2), dtype=np.float32)
    batches = TensorBatches((array,), np.arange(4), batch_size=4)
    array[0, 0] = 5.0
    assert next(iter(batches)).inputs[0][0, 0] == 5.0
    array.flags.writeable = False
    assert len(TensorBatches((array, array[::-1]), np.arange(4)[::-1])) == 1


def test_pictures_stay_bytes_and_lie_channels_last():
    pictures = torch.randint(0, 256, (6, 3, 4, 5), dtype=torch.uint8)
    numbers = torch.rand(6, 2)
    plain = TensorBatches((pictures, numbers), torch.arange(6), batch_size=4, shuffle=True)
    moved = plain.to("cpu", channels_last=True).to("cpu", channels_last=True)
    for one, other in zip(plain.epoch(0), moved.epoch(0), strict=True):
        assert other.inputs[0].dtype == torch.uint8
        assert other.inputs[0].is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.inputs[1], other.inputs[1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TensorBatches((torch.zeros(0, 2),), torch.zeros(0)), "no row"),
        (lambda: TensorBatches((torch.zeros(3, 2),), torch.zeros(2)), "2 targets and 3 rows"),
        (lambda: _rows(weight=torch.ones(9)), "9 rows of weight"),
        (lambda: _rows(ids=torch.ones(9)), "9 rows of ids"),
        (lambda: _rows(batch_size=0), "batch_size=0"),
        (lambda: _rows(seed=-1), "seed=-1"),
        (lambda: as_batches(iter([])), "only once"),
        (lambda: as_batches(b for b in []), "only once"),
        (lambda: as_batches([]), "no batch"),
        (lambda: as_batches(3), "Got: int"),
        (lambda: list(as_batches([torch.zeros(3)]).epoch(0)), "pair (inputs, targets)"),
    ],
)
def test_mistakes_are_named(make: object, words: str):
    with pytest.raises(DataError) as caught:
        make()  # type: ignore[operator]
    assert words in str(caught.value)


def test_pairs_and_batches_of_ones_own_are_wrapped():
    pair = (np.ones((2, 3), dtype=np.float32), np.zeros(2))
    several = ((torch.ones(2, 3), torch.ones(2, 1)), torch.zeros(2))
    own = Batch((torch.ones(2, 3),), torch.zeros(2), torch.ones(2), torch.tensor([7, 8]))
    first, second, third = as_batches([pair, several, own]).epoch(0)
    assert (first.ids.tolist(), second.ids.tolist(), third.ids.tolist()) == ([0, 1], [2, 3], [7, 8])
    assert [len(batch.inputs) for batch in (first, second, third)] == [1, 2, 1]
    assert third.weight is not None
    assert isinstance(first.inputs[0], torch.Tensor)


def test_a_loader_is_entered_anywhere():
    loader = DataLoader(TensorDataset(torch.rand(10, 2), torch.arange(10)), 4, shuffle=True)
    batches = as_batches(loader)
    assert (len(batches), batches.batch_size) == (3, 4)
    torch.manual_seed(5)
    whole = [batch.targets.tolist() for batch in batches.epoch(0)]
    torch.manual_seed(5)
    rest = list(batches.epoch(0, start=2))
    assert [batch.targets.tolist() for batch in rest] == whole[2:]
    assert rest[0].ids.tolist() == [8, 9]
