import pytest
import torch

import deepwell.models
from deepwell.config import Settings
from deepwell.errors import ConfigError
from deepwell.models import MLP, MODELS, build, describe, resolve
from deepwell.models.basic.mlp import MLPSettings
from deepwell.types import InputSpec


def test_order_of_settings_is_default_preset_user() -> None:
    settings = resolve("mlp", {"preset": "lecture", "dropout": 0.3})
    assert isinstance(settings, MLPSettings)
    assert (settings.hidden_sizes, settings.dropout, settings.normalization) == (
        (128,),
        0.3,
        MLPSettings().normalization,
    )


def test_settings_object_and_mapping_are_the_same() -> None:
    spec = InputSpec(num_numbers=2)
    settings = MLPSettings(hidden_sizes=(3,))
    body = build("mlp", spec, 1, settings).body
    assert isinstance(body, MLP)
    assert body.output.in_features == 3


def test_settings_of_another_model_are_refused() -> None:
    with pytest.raises(ConfigError, match='Unknown setting "hidden_sizes"'):
        resolve("cnn", MLPSettings(hidden_sizes=(3,)))


@pytest.mark.parametrize("name", list(MODELS))
def test_presets_are_valid(name: str) -> None:
    default = resolve(name)
    for preset in MODELS[name].presets:
        settings = resolve(name, {"preset": preset})
        assert isinstance(settings, Settings)
        assert settings != default


def test_every_public_name_can_be_imported() -> None:
    for name in deepwell.models.__all__:
        assert getattr(deepwell.models, name) is not None
    assert set(deepwell.models.__all__) <= set(dir(deepwell.models))
    with pytest.raises(AttributeError, match="MLPP"):
        _ = deepwell.models.MLPP


def test_description_of_own_inputs() -> None:
    spec = InputSpec(num_numbers=4, cardinalities=(3, 3))
    description = describe("linear", spec, 2)
    assert description.input_shapes == {"numbers": "(batch, 4)", "categories": "(batch, 2)"}
    assert (description.output_shape, description.parameters) == ("(batch, 2)", 2 * (4 + 4) + 2)


def test_description_of_settings() -> None:
    rows = {row.name: row for row in describe("mlp").settings}
    assert rows["hidden_sizes"].kind == "list of whole numbers"
    assert rows["normalization"].kind == "none | batch | layer"
    assert rows["embedding_size"].kind == "whole number | none"
    assert rows["number_embedding"].default == "none"
    assert "depth" not in {row.name for row in describe("resnet18").settings}


def test_building_is_reproducible() -> None:
    spec = InputSpec(num_numbers=3, cardinalities=(4,))
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build("mlp", spec, 2, {"number_embedding": "periodic"}).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
