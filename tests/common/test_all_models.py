"""Checks that every architecture of the catalog must pass."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from deepwell.engine import EngineSettings, TensorBatches, fit
from deepwell.errors import ModelError
from deepwell.models import MODELS, build, example_inputs, resolve, settings_class, summarize
from deepwell.models.description import count_parameters, describe
from deepwell.nn.adapt import Remembering
from deepwell.tasks import Multiclass
from deepwell.testing.modules import (
    check_batch_of_one,
    check_derivatives,
    check_forward,
    check_gradients,
    check_module,
)
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=12, cardinalities=(4, 9))
SMALL = InputSpec(image_shape=(3, 16, 16))
PICTURES = InputSpec(image_shape=(3, 32, 32))
NUMBERS = InputSpec(num_numbers=5)
CODES = InputSpec(cardinalities=(4, 9, 6))
EVERYTHING = InputSpec(num_numbers=2, cardinalities=(3,), image_shape=(1, 4, 4))
TINY_TABM = {"num_members": 4, "num_blocks": 2, "hidden_size": 16, "dropout": 0.0}
TINY: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_sizes": (16, 16), "dropout": 0.0},
    "cnn": {"channels": (8, 8, 16), "dropout": 0.0},
    "ft_transformer": {"token_size": 16, "attention_dropout": 0.0, "hidden_dropout": 0.0},
    "tab_transformer": {"token_size": 16, "attention_dropout": 0.0, "hidden_dropout": 0.0},
    "wide_deep": {"hidden_sizes": (16, 16), "dropout": 0.0},
    "deepfm": {"hidden_sizes": (16, 16), "dropout": 0.0},
    "two_tower": {"embedding_dropout": 0.0},
    "nam": {"hidden_sizes": (16, 8), "dropout": 0.0},
    "dae_mlp": {"hidden_sizes": (16, 16), "dropout": 0.0},
    "residual_mlp": {"num_blocks": 1, "hidden_size": 16, "dropout": 0.0},
    "realmlp": {"hidden_sizes": (16, 16), "dropout": 0.0},
    "modern_nca": {"vector_size": 16, "num_blocks": 1, "dropout": 0.0, "link": "softmax"},
    "tabm": TINY_TABM,
    "tabm_mini": TINY_TABM,
}
# four times smaller at once: the deep ones stay quick
DEEP = {"stem": "imagenet"}
CASES = [
    ("perceptron", TABLE),
    ("perceptron", SMALL),
    ("linear", TABLE),
    ("linear", SMALL),
    ("mlp", TABLE),
    ("mlp", SMALL),
    ("mlp", EVERYTHING),
    ("residual_mlp", TABLE),
    ("realmlp", TABLE),
    ("tabm", TABLE),
    ("tabm_mini", TABLE),
    ("cnn", SMALL),
    ("resnet18", PICTURES),
    ("resnet50", PICTURES),
]
COLUMN_READERS = ("ft_transformer", "tab_transformer", "wide_deep", "deepfm", "nam", "dae_mlp")
CASES += [(name, spec) for name in COLUMN_READERS for spec in (TABLE, NUMBERS, CODES)]
SUMS = ("wide_deep", "deepfm", "nam", "two_tower")
"""A part of their output is added without a product of matrices, in full precision."""
CASES += [("two_tower", TABLE), ("two_tower", CODES)]
NEIGHBOURS = [("modern_nca", spec) for spec in (TABLE, NUMBERS, CODES)]
"""No row is its own neighbour, so few rows cannot be learned by heart."""
HEAVY = ("resnet34", "resnet101", "resnet152")


def _settings(name: str) -> dict[str, Any]:
    return DEEP if name.startswith("resnet") else TINY.get(name, {})


def _built(
    name: str, spec: InputSpec, settings: dict[str, Any], rows: tuple[torch.Tensor, ...]
) -> nn.Module:
    """Build; a network that answers from training rows is shown them."""
    model = build(name, spec, 3, settings)
    if isinstance(model, Remembering):
        model.remember(rows, torch.arange(len(rows[0])) % 3)
    return model


@pytest.mark.parametrize(("name", "spec"), CASES)
def test_checks(name: str, spec: InputSpec) -> None:
    inputs = example_inputs(spec, batch=8)
    learning_rate = 0.001 if name.startswith("resnet") else 0.01
    check_module(lambda: build(name, spec, 3, _settings(name)), inputs, learning_rate=learning_rate)


@pytest.mark.parametrize(("name", "spec"), NEIGHBOURS)
def test_checks_of_neighbours(name: str, spec: InputSpec) -> None:
    inputs = example_inputs(spec, batch=8)
    model = _built(name, spec, TINY[name], inputs)
    check_forward(model, inputs)
    check_batch_of_one(model, inputs)
    check_gradients(model, inputs)


@pytest.mark.parametrize(("name", "spec"), CASES + NEIGHBOURS)
def test_the_engine_trains_it(name: str, spec: InputSpec) -> None:
    torch.manual_seed(0)
    inputs = example_inputs(spec, batch=8)
    model = _built(name, spec, TINY.get(name, {}), inputs)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    rows = TensorBatches(inputs, torch.arange(8) % 3, batch_size=4)
    settings = EngineSettings(epochs=1, learning_rate=0.01, device="cpu", schedule="constant")
    result = fit(model, Multiclass(classes=[0, 1, 2]), rows, settings=settings)
    assert result.steps == 2
    changed = [not p.equal(old) for p, old in zip(model.parameters(), before, strict=True)]
    assert sum(changed) > len(changed) / 2


def test_every_architecture_has_a_case() -> None:
    """What gradients do not teach has tests of its own: they may have no parameter at all."""
    others = {name for name, entry in MODELS.items() if entry.learner != "gradient"}
    assert {name for name, _ in CASES + NEIGHBOURS} | set(HEAVY) | others == set(MODELS)
    assert others == {"boosted_trees", "symmetric_trees", "blend"}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("boosted_trees", {"num_trees": 3, "num_nodes": 3, "depth": 0}),
        ("symmetric_trees", {"num_trees": 3, "num_statistics": 1}),
        ("blend", {"preset": "two-linear"}),
    ],
)
def test_models_without_gradients_answer_as_networks_do(
    name: str, settings: dict[str, Any]
) -> None:
    """Shapes, rows for themselves, evaluation and training mode alike, weights that travel."""
    spec = MODELS[name].example
    model, inputs = build(name, spec, 2, settings), example_inputs(spec, batch=5)
    check_forward(model, inputs)
    check_batch_of_one(model, inputs)
    assert torch.equal(model.train()(*inputs), model.eval()(*inputs))
    twin = build(name, spec, 2, settings)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(*inputs), model(*inputs))


@pytest.mark.parametrize("name", HEAVY)
def test_deep_networks_run(name: str) -> None:
    inputs = example_inputs(PICTURES, batch=2)
    network = build(name, PICTURES, 3, DEEP)
    check_forward(network, inputs)
    check_gradients(network, inputs)
    check_batch_of_one(network, inputs)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("perceptron", {}),
        ("linear", {}),
        ("mlp", {"hidden_sizes": (4,), "activation": "tanh", "normalization": "layer"}),
        ("mlp", {"hidden_sizes": (4,), "activation": "silu", "number_embedding": "periodic"}),
        ("ft_transformer", {"token_size": 4, "num_heads": 2, "num_layers": 2}),
        ("wide_deep", {"hidden_sizes": (4,), "activation": "silu"}),
        ("deepfm", {"factor_size": 2, "hidden_sizes": (4,), "activation": "silu"}),
        ("two_tower", {"vector_size": 2, "embedding_size": 3}),
        ("nam", {"hidden_sizes": (4, 3)}),
        ("dae_mlp", {"hidden_sizes": (4,)}),
        ("residual_mlp", {"num_blocks": 1, "hidden_size": 3, "number_embedding": "piecewise"}),
        ("realmlp", {"hidden_sizes": (4,)}),
        ("tabm", {**TINY_TABM, "hidden_size": 3, "number_embedding": "periodic_relu"}),
        ("tabm_mini", {**TINY_TABM, "hidden_size": 3, "link": "softmax"}),
    ],
)
def test_derivatives(name: str, settings: dict[str, Any]) -> None:
    spec = InputSpec(num_numbers=3, cardinalities=(3, 4))
    check_derivatives(build(name, spec, 2, settings), example_inputs(spec, batch=3))


def test_derivatives_of_convolutions() -> None:
    spec = InputSpec(image_shape=(2, 4, 4))
    network = build("cnn", spec, 2, {"channels": (2, 2), "activation": "silu"})
    check_derivatives(network, example_inputs(spec, batch=2))


@pytest.mark.parametrize("name", list(MODELS))
def test_description_agrees_with_the_layer_table(name: str) -> None:
    description = describe(name)
    entry = MODELS[name]
    settings = {"preset": "two-linear"} if name == "blend" else {}
    with torch.device("meta"):
        network = build(name, entry.example, entry.example_head_size, settings)
        inputs = tuple(block.to("meta") for block in example_inputs(entry.example, batch=2))
        table = summarize(network, inputs)
    assert table.parameters == description.parameters == table.trainable
    assert table.rows[-1].output_shape == description.output_shape
    first = [] if name == "blend" else ["default"]
    assert list(description.presets) == [*first, *entry.presets]
    assert all(row.meaning for row in description.settings)


@pytest.mark.parametrize("name", list(MODELS))
def test_settings_survive_json(name: str) -> None:
    kind = settings_class(name)
    settings = kind()
    assert kind.model_validate_json(settings.model_dump_json()) == settings
    # settings that were written out in full still fit the name
    given = {"preset": "two-linear"} if name == "blend" else {}
    full, spec = resolve(name, given).model_dump(), MODELS[name].example
    assert count_parameters(name, spec, 2, full) == count_parameters(name, spec, 2, given)


@pytest.mark.parametrize(
    ("name", "spec"),
    [(name, PICTURES) for name in ("mlp", "cnn", "resnet18")]
    + [(name, TABLE) for name in (*COLUMN_READERS, "two_tower")],
)
def test_bfloat16_is_close(name: str, spec: InputSpec) -> None:
    network = build(name, spec, 3, _settings(name)).eval()
    inputs = example_inputs(spec, batch=4)
    with torch.no_grad():
        exact = network(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(*inputs)
    assert rough.dtype == (torch.float32 if name in SUMS else torch.bfloat16)
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max().clamp(min=1.0)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        (
            "resnet18",
            InputSpec(num_numbers=2, cardinalities=(3,)),
            "resnet18 reads images, but this data has numbers and categories only: "
            "use perceptron or linear or mlp or ",
        ),
        ("cnn", EVERYTHING, "cnn reads images only, but this data also has numbers and categories"),
        ("mlp", InputSpec(), "no input columns"),
        ("resnet20", PICTURES, 'Unknown model "resnet20". Did you mean "resnet'),
        ("cnn", InputSpec(image_shape=(1, 4, 4)), "needs at least 8 × 8 pixels"),
    ],
)
def test_misfits_are_explained(name: str, spec: InputSpec, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(name, spec, 2)
    assert message in str(caught.value)


def test_listing_the_catalog_does_not_import_torch() -> None:
    code = "import sys, deepwell.models; print(len(deepwell.models.MODELS), 'torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "src"},
    )
    assert run.stdout.split() == [str(len(MODELS)), "False"]
