import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deepwell.engine.optimizers import shrinkable
from deepwell.errors import ConfigError
from deepwell.models import build, count_parameters, example_inputs
from deepwell.models.tabular.ft_transformer import FTTransformer, FTTransformerSettings
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=3, cardinalities=(4, 6))
SETTINGS = FTTransformerSettings(token_size=8, num_layers=3, num_heads=2)


def _attention(state: dict[str, Tensor], queries: Tensor, tokens: Tensor, heads: int) -> Tensor:
    """Attention as loops over rows, heads and queries, from the formula."""
    q, k, v = (
        F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])
        for name, x in (("query", queries), ("key", tokens), ("value", tokens))
    )
    size = q.shape[2] // heads
    rows = []
    for row in range(len(q)):
        mixed = []
        for place in range(q.shape[1]):
            parts = []
            for head in range(heads):
                own = slice(head * size, (head + 1) * size)
                fits = [q[row, place, own] @ key[own] / math.sqrt(size) for key in k[row]]
                weights = torch.stack(fits).exp()
                parts.append((weights / weights.sum()) @ v[row, :, own])
            mixed.append(torch.cat(parts))
        rows.append(torch.stack(mixed))
    return F.linear(torch.stack(rows), state["output.weight"], state["output.bias"])


def _reference(network: FTTransformer, numbers: Tensor, codes: Tensor) -> Tensor:
    """The whole network from its state, every token through every block."""
    state = dict(network.named_parameters())
    tables = state["tokens.categories.tables.0.weight"].split([4, 6])
    tokens = [state["collector"].expand(len(numbers), -1)]
    for place in range(5):
        vector = (
            numbers[:, place, None] * state["tokens.weight"][place]
            if place < 3
            else tables[place - 3][codes[:, place - 3]]
        )
        tokens.append(vector + state["tokens.bias"][place])
    x = torch.stack(tokens, dim=1)
    for index in range(3):
        own = {k.split(".", 2)[2]: v for k, v in state.items() if k.startswith(f"blocks.{index}.")}
        attention = {k.removeprefix("attention."): v for k, v in own.items()}
        normed = x
        if index:
            normed = F.layer_norm(x, (8,), own["attention_norm.weight"], own["attention_norm.bias"])
        x = x + _attention(attention, normed, normed, heads=2)
        hidden = F.layer_norm(x, (8,), own["feed_forward.0.weight"], own["feed_forward.0.bias"])
        hidden = F.linear(hidden, own["feed_forward.1.weight"], own["feed_forward.1.bias"])
        left, right = hidden.chunk(2, dim=2)
        x = x + F.linear(
            left * right.relu(), own["feed_forward.4.weight"], own["feed_forward.4.bias"]
        )
    head = F.layer_norm(x[:, 0], (8,), state["head.0.weight"], state["head.0.bias"]).relu()
    return F.linear(head, state["head.2.weight"], state["head.2.bias"])


def test_outputs_and_gradients_are_those_of_the_formula() -> None:
    torch.manual_seed(0)
    network = FTTransformer(TABLE, head_size=2, settings=SETTINGS).double().eval()
    numbers, codes = example_inputs(TABLE, batch=4)
    rows = numbers.double().requires_grad_()
    weights = [*network.parameters(), rows]
    outputs, expected = network(rows, codes), _reference(network, rows, codes)
    torch.testing.assert_close(outputs, expected)
    direction = torch.randn_like(outputs)
    found = torch.autograd.grad((outputs * direction).sum(), weights)
    wanted = torch.autograd.grad((expected * direction).sum(), weights)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


def test_parameters_are_those_of_the_authors() -> None:
    settings = {"preset": "paper"}
    assert count_parameters("ft_transformer", InputSpec(num_numbers=8), 1, settings) == 894_913


def test_values_never_seen_are_told_apart_by_the_column_only() -> None:
    network = FTTransformer(InputSpec(cardinalities=(4, 6)), head_size=1, settings=SETTINGS).eval()
    unknown, beyond = torch.tensor([[0, 2]]), torch.tensor([[9, 2]])
    assert torch.equal(network(unknown), network(beyond))


def test_dropout_acts_in_training_only() -> None:
    settings = {"token_size": 16, "attention_dropout": 0.5, "hidden_dropout": 0.0}
    network = build("ft_transformer", TABLE, 1, settings)
    rows = example_inputs(TABLE, batch=16)
    assert not torch.equal(network(*rows), network(*rows))
    network.eval()
    assert torch.equal(network(*rows), network(*rows))


def test_a_size_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"multiple of num_heads\. Got: 20 and num_heads=8"):
        build("ft_transformer", TABLE, 1, {"token_size": 20})


@pytest.mark.parametrize("name", ["ft_transformer", "tab_transformer", "deepfm"])
def test_vectors_of_columns_are_not_decayed(name: str):
    network = build(name, TABLE, head_size=2)
    decayed = {id(p) for p in shrinkable(network)}
    spared = [n for n, p in network.named_parameters() if p.ndim == 2 and id(p) not in decayed]
    expected = {
        "ft_transformer": ["tokens.bias", "tokens.weight"],
        "tab_transformer": ["context.0.columns"],
        "deepfm": ["number_factors"],
    }[name]
    assert [n for n in spared if "tables" not in n] == expected
