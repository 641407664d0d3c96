import numpy as np
import pytest

from deepwell.errors import DataError
from deepwell.estimators.arrays import channels_to_front


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 28, 28, 1), (2, 1, 28, 28)),
        ((2, 30, 20, 3), (2, 3, 30, 20)),
        ((2, 3, 3, 64), (2, 64, 3, 3)),
        ((2, 28, 3), (2, 1, 28, 3)),
        ((2, 7), (2, 7)),
    ],
)
def test_channels_last(shape: tuple[int, ...], expected: tuple[int, ...]):
    found = channels_to_front(np.zeros(shape), "channels_last", has_picture_layers=True)
    assert found.shape == expected


def test_without_picture_layers_three_dimensions_stay():
    array = np.zeros((2, 28, 28))
    assert channels_to_front(array, "channels_last", has_picture_layers=False) is array


def test_channels_in_the_wrong_place_are_seen():
    for shape, given in (((2, 1, 28, 28), "channels_last"), ((2, 28, 28, 3), "channels_first")):
        with pytest.raises(DataError, match="make the network with"):
            channels_to_front(np.zeros(shape), given, has_picture_layers=True)
