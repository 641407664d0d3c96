import pytest
import torch

from deepwell.errors import ConfigError
from deepwell.nn.drop_path import DropPath


def test_whole_rows_are_zero_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    rows = DropPath(0.3)(torch.ones(4000, 2, 3, 3)).flatten(1)
    assert rows.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert bool((rows == rows[:, :1]).all())
    assert rows.mean().item() == pytest.approx(1.0, abs=0.03)


def test_nothing_is_left_out_in_evaluation_or_with_a_share_of_zero() -> None:
    inputs = torch.randn(5, 2)
    assert DropPath(0.9).eval()(inputs) is inputs
    assert DropPath(0.0)(inputs) is inputs


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_share_must_leave_something(share: float) -> None:
    with pytest.raises(ConfigError, match="below 1"):
        DropPath(share)
