import math

import pytest
import torch

from deepwell.errors import ConfigError
from deepwell.models import build, example_inputs
from deepwell.models.tabular.denoising_autoencoder import DenoisingMLP, DenoisingSettings
from deepwell.nn.swap_noise import SwapNoise
from deepwell.tasks.reconstruction import Reconstruction
from deepwell.types import Batch, InputSpec

TABLE = InputSpec(num_numbers=2, cardinalities=(3, 5))


def _network() -> DenoisingMLP:
    torch.manual_seed(0)
    settings = DenoisingSettings(hidden_sizes=(8, 6), dropout=0.0)
    return DenoisingMLP(TABLE, head_size=1, settings=settings)


def test_denoiser_shares_all_but_head_and_decoder() -> None:
    network = _network()
    denoiser = network.denoiser()
    own = {id(weight) for weight in network.parameters()}
    shared = {id(weight) for weight in denoiser.parameters()} & own
    head = {id(weight) for weight in network.body.output.parameters()}
    assert shared == own - head
    assert denoiser.decoder.out_features == 2 + 3 + 5


def test_swap_noise_takes_values_from_the_same_column() -> None:
    torch.manual_seed(0)
    rows = torch.arange(4000).reshape(1000, 4)
    damaged = SwapNoise(0.3)(rows)
    assert torch.equal(damaged % 4, rows % 4)  # every value has stayed in its column
    changed = (damaged != rows).float().mean()
    assert changed == pytest.approx(0.3, abs=0.03)
    assert torch.equal(SwapNoise(0.3).eval()(rows), rows)
    with pytest.raises(ConfigError, match="share of swapped cells"):
        SwapNoise(1.5)


def test_loss_from_its_definition() -> None:
    torch.manual_seed(0)
    numbers, codes = example_inputs(TABLE, batch=4)
    outputs = torch.randn(4, 10)
    losses = Reconstruction(TABLE).losses(outputs, (numbers, codes))
    for row in range(4):
        expected = sum((outputs[row, f] - numbers[row, f]) ** 2 for f in range(2))
        for logits, code, size in ((outputs[row, 2:5], 0, 3), (outputs[row, 5:], 1, 5)):
            chance = logits.softmax(0)[codes[row, code]]
            expected = expected - chance.log() / math.log(size)
        torch.testing.assert_close(losses[row], expected / 4)


def test_weights_of_rows_count() -> None:
    rows = example_inputs(TABLE, batch=4)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.0])
    batch = Batch(rows, torch.zeros(4), weight, torch.arange(4))
    denoiser = _network().denoiser().eval()
    loss, outputs = Reconstruction(TABLE).training_step(denoiser, batch)
    expected = (Reconstruction(TABLE).losses(outputs, rows) * weight).sum()
    torch.testing.assert_close(loss.sum, expected)
    assert loss.weight == 3.0


def test_a_network_without_hidden_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="hidden_sizes"):
        build("dae_mlp", TABLE, 1, {"hidden_sizes": ()})
