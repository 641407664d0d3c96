from typing import Any

import pytest
import torch

from deepwell.errors import ConfigError, ModelError
from deepwell.models import build, example_inputs
from deepwell.models.tabular.two_tower import TwoTower, TwoTowerSettings, placed
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=3, cardinalities=(5, 7, 4))


def _network(head_size: int = 1, spec: InputSpec = TABLE, **settings: Any) -> TwoTower:
    torch.manual_seed(0)
    network = TwoTower(spec, head_size=head_size, settings=TwoTowerSettings(**settings)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.5)
    return network


def test_without_hidden_layers_it_is_matrix_factorisation() -> None:
    spec = InputSpec(cardinalities=(5, 7))
    network = _network(spec=spec, vector_size=4, embedding_size=6)
    codes = example_inputs(spec, batch=9)[0]
    outputs = network(codes)
    for row, (user, item) in enumerate(codes.tolist()):
        sides = []
        for tower, code in ((network.user, user), (network.item, item)):
            vector = tower.flatten.parts["categories"].tables[0].weight[code]
            bias = tower.bias.categories.tables[0].weight[code] + tower.bias.bias
            sides.append((tower.body.output(vector), bias))
        (p, user_bias), (q, item_bias) = sides
        torch.testing.assert_close(outputs[row], (p @ q + user_bias + item_bias))


@pytest.mark.parametrize("head_size", [1, 3])
def test_scores_of_all_pairs_are_those_of_rows(head_size: int) -> None:
    network = _network(head_size, user_columns=(0, 2), user_numbers=(1,), hidden_sizes=(8,))
    users, items = example_inputs(TABLE, batch=4), example_inputs(TABLE, batch=6)
    scores = network.scores(users, items)
    assert scores.shape == (4, 6, head_size)
    for u in range(4):
        for i in range(6):
            numbers, codes = items[0][i].clone(), items[1][i].clone()
            numbers[1] = users[0][u, 1]
            codes[[0, 2]] = users[1][u, [0, 2]]
            torch.testing.assert_close(scores[u, i], network(numbers[None], codes[None])[0])


def test_a_side_sees_its_own_columns_only() -> None:
    network = _network(user_columns=(1,), user_numbers=(0, 2))
    numbers, codes = example_inputs(TABLE, batch=5)
    other_numbers, other_codes = numbers + 1, (codes + 1) % torch.tensor([5, 7, 4])
    other_numbers[:, [0, 2]], other_codes[:, 1] = numbers[:, [0, 2]], codes[:, 1]
    assert torch.equal(network.user(numbers, codes)[0], network.user(other_numbers, other_codes)[0])
    assert not torch.equal(
        network.item(numbers, codes)[0], network.item(other_numbers, other_codes)[0]
    )


def test_numbers_alone_can_describe_both_sides() -> None:
    spec = InputSpec(num_numbers=2)
    network = build("two_tower", spec, 1, {"user_columns": (), "user_numbers": (0,)})
    assert network(*example_inputs(spec, batch=3)).shape == (3, 1)


def test_names_become_places() -> None:
    settings = TwoTowerSettings(user_columns=("when", "who", 2), user_numbers=(0,))
    found = placed(settings, {"what": 0, "who": 1, "where": 2}, {"price": [0], "when": [1, 2]})
    assert found.user_columns == (1, 2)
    assert found.user_numbers == (0, 1, 2)
    with pytest.raises(ConfigError, match=r'"hwo", which is no input column\. Did you mean "who"'):
        placed(TwoTowerSettings(user_columns=("hwo",)), {"who": 0, "what": 1}, {})


@pytest.mark.parametrize(
    ("spec", "settings", "error", "message"),
    [
        (TABLE, {"user_columns": (3,)}, ConfigError, "user_columns has 3, but there are 3"),
        (TABLE, {"user_columns": ("who",)}, ConfigError, "only a training on a table knows names"),
        (TABLE, {"user_columns": ()}, ModelError, "no column for the user"),
        (InputSpec(cardinalities=(3,)), {}, ModelError, "no column for the item"),
        (InputSpec(num_numbers=2), {}, ConfigError, "--kind COLUMN=category"),
    ],
)
def test_misuse_is_explained(
    spec: InputSpec, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build("two_tower", spec, 1, settings)
