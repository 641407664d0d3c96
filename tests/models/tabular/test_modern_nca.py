"""ModernNCA: the mean of what the nearest training rows were, and never of the row itself."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

import deepwell
from deepwell.errors import DeepwellError, ModelError
from deepwell.files import read_json
from deepwell.models.tabular.modern_nca import ModernNCA, ModernNCASettings
from deepwell.types import InputSpec

SPEC = InputSpec(num_numbers=3, cardinalities=(4, 3))


def _rows(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(count, 3, generator=generator)
    codes = torch.stack(
        [torch.randint(0, n, (count,), generator=generator) for n in SPEC.cardinalities], dim=1
    )
    return numbers, codes


def _network(link: str = "none", head_size: int = 1, **settings: object) -> ModernNCA:
    torch.manual_seed(1)
    chosen = ModernNCASettings.model_validate({"vector_size": 8, "link": link, **settings})
    return ModernNCA(SPEC, head_size, chosen)


def _vectors(network: ModernNCA, blocks: tuple[Tensor, Tensor]) -> np.ndarray:
    """The vectors of rows, computed one by one from the weights, in double precision."""
    weights = {name: w.detach().double().numpy() for name, w in network.named_parameters()}
    frequencies = weights["encode.parts.numbers.frequencies"]
    mixture, bias = (
        weights["encode.parts.numbers.mixtures"][0],
        weights["encode.parts.numbers.bias"][0],
    )
    found = []
    for numbers, codes in zip(blocks[0].double().numpy(), blocks[1].numpy(), strict=True):
        encoded: list[float] = []
        for number, waves in zip(numbers, frequencies, strict=True):
            angles = 2 * np.pi * waves * number
            wave = np.concatenate([np.cos(angles), np.sin(angles)])
            encoded += np.maximum(wave @ mixture + bias, 0).tolist()
        for code, cardinality in zip(codes, SPEC.cardinalities, strict=True):
            encoded += [float(code == value) for value in range(1, cardinality)]
        found.append(weights["embed.0.weight"] @ np.array(encoded) + weights["embed.0.bias"])
    return np.array(found)


def _expected(queries: np.ndarray, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The paper's equation, row by row."""
    means = []
    for query in queries:
        shares = np.exp(-np.array([np.linalg.norm(query - one) for one in known]))
        means.append((shares[:, None] * answers).sum(axis=0) / shares.sum())
    return np.array(means)


def test_the_answer_is_the_papers_equation():
    network, known, asked = _network(head_size=2), _rows(20), _rows(5, seed=1)
    answers = torch.randn(20, 2, generator=torch.Generator().manual_seed(2))
    assert network.remember(known, answers) == {"num_rows": 20}
    found = network.eval()(*asked).detach().numpy()
    expected = _expected(_vectors(network, asked), _vectors(network, known), answers.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("link", "head_size"), [("softmax", 3), ("sigmoid", 1)])
def test_classes_get_the_logarithm_of_the_mean_share(link: str, head_size: int):
    network, known, asked = _network(link, head_size), _rows(30), _rows(4, seed=1)
    classes = torch.arange(30) % max(2, head_size)
    network.remember(known, classes if link == "softmax" else classes.float()[:, None])
    found = network.eval()(*asked).detach()
    shares = found.softmax(dim=1) if link == "softmax" else found.sigmoid()
    truth = np.eye(3)[classes] if link == "softmax" else classes.numpy()[:, None]
    expected = _expected(_vectors(network, asked), _vectors(network, known), truth)
    np.testing.assert_allclose(shares.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_training_row_and_its_copies_are_not_their_own_neighbours():
    numbers, codes = _rows(6)
    known = torch.cat([numbers, numbers[:1]]), torch.cat([codes, codes[:1]])
    network = _network(sampled_share=1.0)
    answers = torch.tensor([100.0, 0, 0, 0, 0, 0, 100.0])[:, None]
    network.remember(known, answers)
    found = network.train()(numbers, codes).detach()
    assert found[0].item() == 0  # both copies of the first row are left out
    assert (found[1:] > 0).all()


def test_gradients_are_those_of_the_numbers():
    network = _network(sampled_share=1.0, vector_size=3, number_size=2, num_frequencies=2).double()
    known = _rows(5)
    network.remember((known[0].double(), known[1]), torch.randn(5, 1).double())
    network.answers = network.answers.double()
    network.eval()
    asked = _rows(3, seed=4)[0].double().requires_grad_()
    codes = _rows(3, seed=4)[1]
    wanted = [asked, *network.parameters()]

    def outputs(numbers: Tensor, *_weights: Tensor) -> Tensor:
        vectors = network.embed(network.encode(numbers, codes))
        rows = network.embed(network.encode(network.known_numbers, network.known_categories))
        distances = (vectors[:, None] - rows[None]).norm(dim=-1)
        return torch.softmax(-distances, dim=1) @ network.answers

    assert torch.autograd.gradcheck(outputs, wanted)
    found = torch.autograd.grad(network(asked, codes).sum(), wanted)
    for one, other in zip(found, torch.autograd.grad(outputs(asked).sum(), wanted), strict=True):
        torch.testing.assert_close(one, other)


def test_changed_rows_are_refused_and_losses_without_a_mean_too():
    network, known = _network(), _rows(10)
    network.remember(known, torch.zeros(10, 1))
    with pytest.raises(ModelError, match="without noise"):
        network.train()(known[0] + 0.1, known[1])
    with pytest.raises(ModelError, match=r"leave out --set task\.loss"):
        _network(head_size=2).remember(known, torch.zeros(10, 1))
    with pytest.raises(ModelError, match="images"):
        ModernNCA(InputSpec(image_shape=(1, 4, 4)), 1, ModernNCASettings())


def test_a_known_row_is_at_distance_zero_from_itself():
    network, known = _network("sigmoid"), _rows(60)
    answers = (known[0][:, :1] > 0).float()
    network.remember(known, answers)
    with torch.no_grad():
        network.embed[0].weight.mul_(40)  # as after a long training: near is near, far is far
        network.embed[0].bias.add_(200)
        found = network.eval()(*known).double().sigmoid().numpy()
    vectors = _vectors(network, known)
    expected = _expected(vectors, vectors, answers.numpy())
    # of answers that are sure, the doubt that is left: 32-bit products would miss it by far
    np.testing.assert_allclose(
        np.minimum(found, 1 - found), np.minimum(expected, 1 - expected), rtol=0.01, atol=1e-7
    )


def test_a_fused_optimizer_is_followed_though_it_leaves_no_mark():
    network, known, asked = _network(), _rows(10), _rows(3, seed=1)
    network.remember(known, torch.arange(10.0)[:, None])
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    with torch.no_grad():
        network.eval()(*asked)
    network.train()(*known).square().sum().backward()
    optimizer.step()
    with torch.no_grad():
        found = network.eval()(*asked).numpy()
    vectors = _vectors(network, asked), _vectors(network, known)
    np.testing.assert_allclose(found, _expected(*vectors, network.answers.numpy()), rtol=1e-4)


def test_the_cache_of_vectors_follows_the_weights():
    network, known, asked = _network(), _rows(10), _rows(3, seed=1)
    network.remember(known, torch.arange(10.0)[:, None])
    network.eval()
    with torch.no_grad():
        before = network(*asked)
        assert torch.equal(network(*asked), before)
        network.embed[0].weight.mul_(3)
        after = network(*asked)
        fresh = _expected(
            _vectors(network, asked), _vectors(network, known), network.answers.numpy()
        )
    assert not torch.allclose(before, after)
    np.testing.assert_allclose(after.numpy(), fresh, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"engine": {"regularisation": {"noise": 0.1}}}, "without noise, mixup"),
        ({"task": {"loss": "hinge"}}, r"leave out --set task\.loss"),
    ],
)
def test_trainings_that_would_deceive_it_are_refused(
    settings: dict[str, object], match: str, tmp_path: Path
):
    table = _waves(300).with_columns(y=pl.col("y") > 0)
    with pytest.raises(DeepwellError, match=match):
        deepwell.train(table, target="y", model="modern_nca", runs=tmp_path, settings=settings)


def _waves(rows: int) -> pl.DataFrame:
    numbers = np.random.default_rng(0).uniform(-2, 2, size=(rows, 2))
    y = np.sin(3 * numbers[:, 0]) * numbers[:, 1]
    return pl.DataFrame({"a": numbers[:, 0], "b": numbers[:, 1], "y": y})


def test_it_learns_is_stored_and_answers_alike(tmp_path: Path):
    table = _waves(600)
    settings = {"engine": {"epochs": 15}, "model": {"most_rows": 300}}
    run = deepwell.train(
        table, target="y", model="modern_nca", runs=tmp_path, name="run", settings=settings
    )
    assert run.metrics["r2"]["value"] > 0.8
    assert run.summary["model"] == "modern_nca"
    found = read_json(tmp_path / "run" / "diagnosis.json")
    assert set(found["measured"]["scores"]) == {"val"}  # a training row would find itself
    assert not [one for one in found["findings"] if one["name"] == "overfitting"]
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "hold 300 of the training rows" in card
    model = deepwell.load(tmp_path / "run" / "model")
    first = model.predict(table.head(50))["prediction"]
    again = deepwell.load(tmp_path / "run" / "model").predict(table.head(50))["prediction"]
    assert first.to_list() == again.to_list()
