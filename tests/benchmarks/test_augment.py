import numpy as np
import pytest
from benchmarks.contenders import deepwell_augment, pillow_peer
from benchmarks.pictures import SAMPLE, Pictures, read

from benchmarks import pace


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return read(SAMPLE)


def test_batches_are_as_large_as_they_say(pictures: Pictures):
    assert pace.grey(pictures).shape == (128, 1, 28, 28)
    assert pace.coloured(pictures).shape == (64, 3, 96, 96)
    assert pace.coloured(pictures)[0, 0, 9, 13] == pictures.train[0, 4, 5]


@pytest.mark.parametrize("function", ["geometry", "colour"])
def test_contenders_change_about_as_much(
    pictures: Pictures, function: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    own, other = (
        getattr(module, function)(pictures, 0).scores["mean_change_of_255"]
        for module in (deepwell_augment, pillow_peer)
    )
    assert own > 5
    assert own == pytest.approx(other, rel=0.25)


def test_bytes_and_floats_have_the_same_scale():
    before = np.full((2, 1, 2, 2), 100, dtype=np.uint8)
    as_bytes = pace.pace(lambda: before + np.uint8(51), before)
    as_floats = pace.pace(lambda: ((before + 51) / 255).astype(np.float32), before)
    assert as_bytes.scores == as_floats.scores == {"mean_change_of_255": 51.0}
