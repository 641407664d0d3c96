"""Every loss against its formula, torch or scikit-learn, with weights and through its task."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import hinge_loss
from torch import nn
from torch.nn import functional

from deepwell.data import Table
from deepwell.errors import ConfigError, TaskError
from deepwell.tasks import Binary, Multiclass, Multilabel, Regression, TaskSettings, from_json
from deepwell.tasks.loss_catalog import LOSSES, losses_for
from deepwell.tasks.losses import multiclass_divergence

WEIGHT = torch.tensor([1.0, 0.5, 3.0, 0.0, 2.0])
CLASSES = torch.tensor([0, 2, 1, 2, 0])


def logits(columns: int) -> torch.Tensor:
    return torch.randn(5, columns, generator=torch.Generator().manual_seed(0)) * 2


def regression(loss: str, targets: int = 2, **settings: object) -> Regression:
    names = tuple("abcdef"[:targets])
    return Regression(targets=names, settings=TaskSettings(loss=loss, **settings))


@pytest.mark.parametrize("loss", losses_for("numbers"))
def test_losses_for_numbers(loss: str) -> None:
    task = regression(loss)
    outputs, targets = logits(task.head_size), logits(3)[:, 1:].abs()
    mean, wide = outputs[:, :2], outputs[:, 2:]
    by_hand = {
        "mse": lambda: (mean - targets) ** 2,
        "mae": lambda: (mean - targets).abs(),
        "huber": lambda: functional.huber_loss(mean, targets, reduction="none"),
        "log_cosh": lambda: (mean - targets).cosh().log(),
        "quantile": lambda: 0.5 * (mean - targets).abs(),
        "poisson": lambda: functional.poisson_nll_loss(mean, targets, reduction="none"),
        "gaussian_nll": lambda: functional.gaussian_nll_loss(
            mean, targets, wide.exp(), reduction="none"
        ),
    }[loss]().mean(dim=1)
    for weight in (None, WEIGHT):
        found = task.loss(outputs, targets, weight)
        share = torch.ones(5) if weight is None else weight
        torch.testing.assert_close(found.sum, (by_hand * share).sum())
        assert found.weight.item() == pytest.approx(share.sum().item())


@pytest.mark.parametrize("loss", losses_for("classes"))
def test_losses_for_several_classes(loss: str) -> None:
    outputs = logits(3)
    right = outputs[torch.arange(5), CLASSES]
    wrong = outputs.scatter(1, CLASSES[:, None], -torch.inf).amax(dim=1)
    entropy = functional.cross_entropy(outputs, CLASSES, reduction="none")
    by_hand = {
        "cross_entropy": entropy,
        "kullback_leibler": entropy,  # without smoothing the target has no entropy of its own
        "focal": (1 - (-entropy).exp()) ** 2 * entropy,
        "hinge": (1 + wrong - right).clamp_min(0),
        "perceptron": (wrong - right).clamp_min(0),
    }[loss]
    task = Multiclass(classes=["a", "b", "c"], settings=TaskSettings(loss=loss))
    for weight in (None, WEIGHT):
        share = torch.ones(5) if weight is None else weight
        found = task.loss(outputs, CLASSES, weight)
        torch.testing.assert_close(found.sum, (by_hand * share).sum())
        assert found.weight.item() == pytest.approx(share.sum().item())


def test_hinge_is_scikit_learns() -> None:
    outputs, binary = logits(3), torch.tensor([[1.0], [0.0], [0.0], [1.0], [1.0]])
    settings = TaskSettings(loss="hinge")
    found = Multiclass(classes=[0, 1, 2], settings=settings).loss(outputs, CLASSES, None)
    expected = hinge_loss(CLASSES.numpy(), outputs.numpy(), labels=[0, 1, 2])
    assert (found.sum / found.weight).item() == pytest.approx(expected, rel=1e-6)
    found = Binary(classes=[0, 1], settings=settings).loss(outputs[:, :1], binary, WEIGHT)
    signs = 2 * binary[:, 0].numpy() - 1
    expected = hinge_loss(signs, outputs[:, 0].numpy(), sample_weight=WEIGHT.numpy())
    assert (found.sum / found.weight).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", losses_for("labels"))
def test_two_classes_are_the_several_classes_with_one_logit_fixed(loss: str) -> None:
    logit = logits(1)
    targets = torch.tensor([[1.0], [0.0], [0.0], [1.0], [1.0]])
    smoothing = 0.2 if LOSSES[loss].smooths else 0.0
    settings = TaskSettings(loss=loss, label_smoothing=smoothing)
    # hinge compares z with −z over a margin of 2
    both = torch.cat([-logit, logit], dim=1) / 2 if loss == "hinge" else torch.cat(
        [torch.zeros(5, 1), logit], dim=1
    )  # fmt: skip
    one = Binary(classes=[0, 1], settings=settings).loss(logit, targets, WEIGHT)
    two = Multiclass(classes=[0, 1], settings=settings).loss(both, targets[:, 0].long(), WEIGHT)
    torch.testing.assert_close(one.sum, two.sum)
    labels = Multilabel(targets=("a", "b"), settings=settings)
    several = labels.loss(torch.cat([logit, logit], dim=1), targets.expand(5, 2), WEIGHT)
    torch.testing.assert_close(several.sum, one.sum)


def test_divergence_is_the_distance_of_distributions() -> None:
    outputs = logits(3)
    smooth = functional.one_hot(CLASSES, 3) * 0.7 + 0.1
    expected = (smooth * (smooth.log() - outputs.log_softmax(dim=1))).sum(dim=1)
    torch.testing.assert_close(multiclass_divergence(outputs, CLASSES, 0.3), expected)
    torch.testing.assert_close(multiclass_divergence(outputs, smooth), expected)
    torch.testing.assert_close(multiclass_divergence(smooth.log(), smooth), torch.zeros(5))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_gradient_where_all_is_right(gamma: float) -> None:
    outputs = torch.tensor([[60.0, 0.0], [0.0, 0.0]], requires_grad=True)
    task = Multiclass(classes=[0, 1], settings=TaskSettings(loss="focal", focal_gamma=gamma))
    task.loss(outputs, torch.tensor([0, 0]), None).sum.backward()
    assert outputs.grad is not None
    assert bool(torch.isfinite(outputs.grad).all())
    assert outputs.grad[1, 0].item() < 0
    plain = Multiclass(classes=[0, 1]).loss(outputs, torch.tensor([0, 0]), None)
    focal = task.loss(outputs, torch.tensor([0, 0]), None)
    assert (focal.sum.item() == pytest.approx(plain.sum.item())) is (gamma == 0.0)


def _descend(task: Regression, targets: torch.Tensor, steps: int = 4000) -> np.ndarray:
    """The answer of a network that is one free row of outputs."""
    free = nn.Parameter(torch.zeros(1, task.head_size))
    optimizer = torch.optim.Adam([free], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(free.expand(len(targets), -1), targets, None).sum.backward()
        optimizer.step()
    return free.detach().numpy()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_quantile_learns_the_quantile(share: float) -> None:
    values = np.random.default_rng(0).gamma(2.0, 10.0, 301)
    table = Table({"y": pl.Series(values)})
    settings = TaskSettings(loss="quantile", quantile=share)
    task = Regression.fit(table, ("y",), settings, "")
    answer = task.decode(_descend(task, torch.from_numpy(task.encode(table)))).values
    assert answer.item() == pytest.approx(np.quantile(values, share), rel=0.03)


def test_poisson_learns_the_mean_of_counts_in_their_unit() -> None:
    counts = np.random.default_rng(0).poisson(40.0, 200).astype(float)
    table = Table({"y": pl.Series(counts)})
    task = Regression.fit(table, ("y",), TaskSettings(loss="poisson"), "")
    outputs = _descend(task, torch.from_numpy(task.encode(table)), 500)
    assert task.decode(outputs).values.item() == pytest.approx(counts.mean(), rel=1e-3)
    again = from_json(json.loads(json.dumps(task.to_json())))
    assert again.decode(outputs).values == task.decode(outputs).values
    scores = task.scores(
        torch.from_numpy(outputs).expand(200, 1), torch.from_numpy(task.encode(table))
    )
    np.testing.assert_allclose(
        scores["mae"].numpy(), np.abs(counts - task.decode(outputs).values.item()), rtol=1e-3
    )


def test_gaussian_learns_mean_and_spread_and_answers_with_the_mean() -> None:
    values = np.random.default_rng(0).normal(50.0, 4.0, 300)
    table = Table({"y": pl.Series(values)})
    task = Regression.fit(table, ("y",), TaskSettings(loss="gaussian_nll"), "")
    assert task.head_size == 2
    outputs = _descend(task, torch.from_numpy(task.encode(table)), 800)
    assert task.decode(outputs).values.shape == (1, 1)
    assert task.decode(outputs).values.item() == pytest.approx(values.mean(), rel=1e-3)
    assert float(np.exp(outputs[0, 1] / 2)) * task.std[0] == pytest.approx(values.std(), rel=1e-2)
    encoded = torch.from_numpy(task.encode(table))
    scores = task.scores(torch.from_numpy(outputs).expand(300, 2), encoded)
    np.testing.assert_allclose(scores["mae"].numpy(), np.abs(values - values.mean()), atol=0.05)


def test_counts_are_not_negative() -> None:
    table = Table({"y": pl.Series([-1.0, 2.0])})
    with pytest.raises(TaskError, match=r"needs counts, which are 0 or more. Got: -1 in y"):
        Regression.fit(table, ("y",), TaskSettings(loss="poisson"), "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "hubr"}, 'Did you mean "huber"'),
        ({"quantile": 0.9}, 'quantile is for loss="quantile"'),
        ({"loss": "mse", "focal_gamma": 1.0}, 'focal_gamma is for loss="focal"'),
        ({"loss": "hinge", "label_smoothing": 0.1}, "no probabilities to smooth"),
        ({"loss": "poisson", "target_transform": "log"}, "learns a logarithm by itself"),
        ({"loss": "quantile", "quantile": 1.0}, 'Setting "quantile"'),
    ],
)
def test_settings_that_do_nothing_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TaskSettings.model_validate(settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_fits_its_questions_only(loss: str) -> None:
    settings = TaskSettings(loss=loss)
    makers = {
        "numbers": lambda: Regression(targets=("a",), settings=settings),
        "classes": lambda: Multiclass(classes=[0, 1, 2], settings=settings),
        "labels": lambda: Multilabel(targets=("a",), settings=settings),
    }
    for answer, make in makers.items():
        if answer in LOSSES[loss].answers:
            make()
        else:
            with pytest.raises(TaskError, match=r"use mse|use cross_entropy|learned with cross"):
                make()
