import pytest
import torch
from torch import nn

from deepwell.errors import ConfigError
from deepwell.models import build, example_inputs
from deepwell.models.tabular.tab_transformer import (
    ContextBlock,
    TabTransformer,
    TabTransformerSettings,
)
from deepwell.types import InputSpec

SETTINGS = TabTransformerSettings(token_size=16, num_layers=2, num_heads=4)


def _torchs_own(block: ContextBlock) -> nn.TransformerEncoderLayer:
    """The same layer as torch has it, with the same weights."""
    twin = nn.TransformerEncoderLayer(16, 4, 64, dropout=0.0, batch_first=True)
    own = block.state_dict()
    state = {
        f"self_attn.in_proj_{kind}": torch.cat(
            [own[f"attention.{name}.{kind}"] for name in ("query", "key", "value")]
        )
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        state[f"self_attn.out_proj.{kind}"] = own[f"attention.output.{kind}"]
        state[f"linear1.{kind}"] = own[f"feed_forward.0.{kind}"]
        state[f"linear2.{kind}"] = own[f"feed_forward.3.{kind}"]
        state[f"norm1.{kind}"] = own[f"attention_norm.{kind}"]
        state[f"norm2.{kind}"] = own[f"feed_forward_norm.{kind}"]
    twin.load_state_dict(state)
    return twin.double()


def test_block_is_the_encoder_layer_of_torch() -> None:
    torch.manual_seed(0)
    block = ContextBlock(
        SETTINGS.model_copy(update={"attention_dropout": 0.0, "hidden_dropout": 0.0})
    )
    twin = _torchs_own(block)
    block.double()
    tokens = torch.randn(5, 3, 16, dtype=torch.float64, requires_grad=True)
    outputs, expected = block(tokens), twin(tokens)
    torch.testing.assert_close(outputs, expected)
    direction = torch.randn_like(outputs)
    (found,) = torch.autograd.grad((outputs * direction).sum(), tokens)
    (wanted,) = torch.autograd.grad((expected * direction).sum(), tokens)
    torch.testing.assert_close(found, wanted)
    (block(tokens) * direction).sum().backward()
    (twin(tokens) * direction).sum().backward()
    projections = (block.attention.query, block.attention.key, block.attention.value)
    stacked = torch.cat([layer.weight.grad for layer in projections])
    torch.testing.assert_close(stacked, twin.self_attn.in_proj_weight.grad)
    torch.testing.assert_close(block.feed_forward[0].weight.grad, twin.linear1.weight.grad)


def test_whole_network_from_its_parts() -> None:
    spec = InputSpec(num_numbers=2, cardinalities=(3, 5))
    network = TabTransformer(spec, head_size=2, settings=SETTINGS).eval()
    numbers, codes = example_inputs(spec, batch=6)
    tokens, *blocks, _ = network.context
    tables = tokens.values.tables[0].weight.split([3, 5])
    rows = [
        torch.stack([torch.cat([tokens.columns[c], tables[c][code]]) for c, code in enumerate(row)])
        for row in codes
    ]
    context = torch.stack(rows)
    for block in blocks:
        context = block(context)
    expected = network.perceptron(torch.cat([context.flatten(1), numbers], dim=1))
    torch.testing.assert_close(network(numbers, codes), expected)


def test_numbers_can_be_normalised_as_in_the_paper() -> None:
    spec = InputSpec(num_numbers=4)
    network = build("tab_transformer", spec, 1, {"number_normalization": "layer"}).eval()
    rows = torch.randn(3, 4)
    torch.testing.assert_close(network(rows), network(5 * rows + 2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        (
            InputSpec(cardinalities=(3,)),
            {"token_size": 20, "num_heads": 4},
            "token_size must be a multiple of 8",
        ),
        (
            InputSpec(num_numbers=1, cardinalities=(3,)),
            {"number_normalization": "layer"},
            "would make a single number zero",
        ),
    ],
)
def test_wrong_settings_are_explained(
    spec: InputSpec, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build("tab_transformer", spec, 1, settings)
