import pytest
import torch
from torch import Tensor, nn

from deepwell.models import build, example_inputs, summarize
from deepwell.nn.layers import Dense
from deepwell.types import InputSpec


class Shared(nn.Module):
    """One layer used twice, a tied weight, a bare parameter, an idle layer, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.inner.weight
        self.scale = nn.Parameter(torch.ones(3))
        self.idle = nn.Linear(2, 2)
        self.memory = nn.LSTM(4, 5, batch_first=True)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.tied(self.inner(self.inner(inputs)))
        states, _ = self.memory(hidden[:, None])
        return states * self.scale[0], hidden


def test_rows_of_a_shared_network() -> None:
    model = Shared()
    summary = summarize(model, (torch.randn(6, 4),))
    rows = [(row.name, row.output_shape, row.parameters) for row in summary.rows]
    lstm = sum(weight.numel() for weight in model.memory.parameters())
    assert rows == [
        ("Shared", "(batch, 1, 5), (batch, 4)", 3),
        ("inner", "(batch, 4)", 20),
        ("inner", "(batch, 4)", 0),
        ("tied", "(batch, 4)", 0),
        ("memory", "(batch, 1, 5), (1, 6, 5), (1, 6, 5)", lstm),
        ("idle", "", 6),
    ]
    assert summary.parameters == sum(weight.numel() for weight in model.parameters())


def test_frozen_weights_are_not_trainable() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    summary = summarize(model, (torch.randn(2, 3),))
    assert (summary.parameters, summary.trainable) == (11, 3)
    assert [row.trainable for row in summary.rows] == [0, 3]


def test_lazy_layers_are_counted_after_they_found_their_size() -> None:
    model = nn.Sequential(Dense(5), Dense(2, activation="relu"))
    summary = summarize(model, (torch.randn(3, 7),))
    assert summary.parameters == 7 * 5 + 5 + 5 * 2 + 2
    assert [row.kind for row in summary.rows] == ["Dense", "Identity", "Dense", "ReLU"]


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    summarize(model, (torch.randn(5, 3, generator=torch.Generator()),))
    assert [module.training for module in model] == [True, True, False]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(random_state, torch.get_rng_state())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_hooks_are_removed_when_the_network_fails() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4))
    with pytest.raises(RuntimeError):
        summarize(model, (torch.randn(5, 3),))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_example_inputs_fit_every_block() -> None:
    spec = InputSpec(num_numbers=3, cardinalities=(2, 5), image_shape=(3, 8, 8))
    numbers, codes, images = example_inputs(spec, batch=64, generator=torch.Generator())
    assert numbers.shape == (64, 3)
    assert codes.amax(dim=0).tolist() == [1, 4]
    assert codes.amin(dim=0).tolist() == [0, 0]
    assert images.dtype == torch.uint8
    assert build("mlp", spec, 2)(numbers, codes, images).shape == (64, 2)


def test_json() -> None:
    summary = summarize(nn.Linear(3, 2), (torch.randn(2, 3),))
    row = {"name": "Linear", "kind": "Linear", "output_shape": "(batch, 2)"}
    counts = {"parameters": 8, "trainable": 8}
    assert summary.to_json() == {"rows": [row | counts], **counts}
