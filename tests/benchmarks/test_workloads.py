from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from benchmarks.contenders import deepwell, plain_torch
from benchmarks.harness import Row, Turns
from benchmarks.machine import flops_of_step
from benchmarks.next_token import NextToken
from benchmarks.race import judged
from benchmarks.rows import encoded, prepare, word_ids
from benchmarks.workloads import WORKLOADS, Rows, Stopwatch, Training, run, scores_of

from benchmarks import networks
from deepwell.models.vision.resnet import ResNet
from deepwell.types import Batch

PARAMETERS = {
    "mlp": 101_770,
    "cnn": 96_362,
    "resnet18": 11_173_962,
    "lstm": 673_538,
    "gpt": 3_356_160,
    "table": 26_434,
}


def few_rows(name: str, count: int = 4) -> Rows:
    """Random rows of the right shapes."""
    draw = np.random.default_rng(0)
    pictures = {"mlp": (784,), "cnn": (1, 28, 28), "resnet18": (3, 32, 32)}
    blocks: tuple[Any, ...]
    targets = draw.integers(0, 2, count)
    if name in pictures:
        blocks = (draw.random((count, *pictures[name]), np.float32),)
    elif name == "lstm":
        blocks = (draw.integers(0, 10_002, (count, 100)),)
    elif name == "gpt":
        blocks = (draw.integers(0, 256, (count, 32)),)
        targets = draw.integers(0, 256, (count, 32))
    else:
        blocks = (draw.random((count, 20), np.float32), draw.integers(0, 64, (count, 10)))
    return Rows(blocks, targets, blocks, targets)


@pytest.mark.parametrize("name", list(WORKLOADS))
@pytest.mark.parametrize("contender", [deepwell, plain_torch])
def test_contenders_train_each_network(name: str, contender: Any):
    work = replace(WORKLOADS[name], rows=4, batch_size=2, epochs=2)
    rows = few_rows(name)
    training = contender.train(work, rows, 0)
    assert len(training.watch.epochs) == 2
    outputs = training.predict(rows.inputs)
    assert outputs.shape == (*rows.targets.shape, work.classes)
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_networks_have_their_size(name: str):
    count = sum(parameter.numel() for parameter in networks.build(name).parameters())
    assert count == PARAMETERS[name]


def test_resnet_of_the_peers_is_that_of_the_package():
    plain, own = networks.build("resnet18"), ResNet(18, out_features=10, stem="small")
    own.load_state_dict(plain.state_dict())
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(plain(pictures), own(pictures))


def test_next_token_is_the_cross_entropy_of_all_places():
    tokens = torch.randint(0, 256, (3, 9), generator=torch.Generator().manual_seed(0))
    network, task = networks.build("gpt"), NextToken()
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    mean, outputs = task.training_step(network, Batch((inputs,), targets, None, torch.arange(3)))
    assert mean.weight.item() == 24
    expected = networks.loss(outputs, targets).item()
    assert mean.sum.item() / 24 == pytest.approx(expected, rel=1e-5)
    only_first = torch.tensor([1.0, 0.0, 0.0])
    first, _ = task.training_step(network, Batch((inputs,), targets, only_first, torch.arange(3)))
    expected = networks.loss(outputs[:1], targets[:1]).item()
    assert (first.sum / first.weight).item() == pytest.approx(expected, rel=1e-5)


def test_rows_come_back_and_pictures_are_scaled(tmp_path: Path):
    pictures = np.array([[0, 51, 255]], np.uint8)
    codes, targets = np.array([[7]]), np.array([1])
    Rows((pictures, codes), targets, (pictures, codes), targets).save(tmp_path / "rows.npz")
    rows = Rows.load(tmp_path / "rows.npz")
    np.testing.assert_allclose(rows.inputs[0], [[0.0, 0.2, 1.0]], rtol=1e-6)
    assert rows.test_inputs[1].tolist() == [[7]]
    assert rows.targets.tolist() == [1]


def test_words_are_counted_and_texts_padded_in_front():
    texts = [["a", "good", "film", "a"], ["film", "a"]]
    ids = word_ids(texts, 2)
    assert ids == {"a": 2, "film": 3}
    codes = encoded([*texts, [], ["a"] * 99 + ["film", "good"]], ids)
    assert codes[0, -5:].tolist() == [0, 2, 1, 3, 2]
    assert codes[2].sum() == 0
    assert codes[3, 0] == 2
    assert codes[3, -1] == 3


def test_test_rows_of_the_table_are_not_drawn_from(tmp_path: Path, monkeypatch: Any):
    folder = tmp_path / "tabular"
    folder.mkdir()
    monkeypatch.setenv("DEEPWELL_DATA", str(tmp_path))
    numbers = {f"n{i}": [float(v + i) for v in range(30)] for i in range(7)}
    texts = {f"c{i}": [f"v{v % 3}" for v in range(30)] for i in range(5)}
    income = {"income": [">50K" if v < 15 else "<=50K" for v in range(30)]}
    pl.DataFrame({**numbers, **texts, **income}).write_csv(folder / "adult.csv")
    for name in ("diamonds", "california_housing"):
        pl.DataFrame({**numbers, **texts}).write_csv(folder / f"{name}.csv")
    rows = prepare(replace(WORKLOADS["table"], rows=100, test_rows=5))
    assert [block.shape for block in rows.inputs] == [(100, 20), (100, 10)]
    train, test = ({float(v) for v in b[0][:, 0]} for b in (rows.inputs, rows.test_inputs))
    assert len(test) == 5
    assert not train & test
    # the first column of adult grows with the row, and the target is right only for the first half
    assert rows.inputs[0][rows.targets == 1, 0].max() < rows.inputs[0][rows.targets == 0, 0].min()


def test_scores_are_cross_entropy_and_right_answers():
    outputs = np.log([[[0.5, 0.5], [0.25, 0.75]]])
    scores = scores_of(outputs, np.array([[1, 1]]))
    assert scores["test_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert scores["test_accuracy"] == 0.5


def test_the_first_epoch_is_shown_apart(tmp_path: Path):
    work, rows = WORKLOADS["lstm"], few_rows("lstm")
    rows.save(tmp_path / "rows.npz")

    def train(*_: Any) -> Training:
        return Training(Stopwatch([9.0, 1.0, 2.0, 4.0]), lambda blocks: np.zeros((4, 2)), "done")

    sample = run(train, "lstm", str(tmp_path / "rows.npz"), 0)
    assert (sample.seconds, sample.says) == (2.0, "done")
    assert sample.scores["first_epoch_ms"] == 9000.0
    assert sample.scores["rows_per_second"] == work.rows / 2.0
    short = Training(Stopwatch([9.0, 1.0]), lambda blocks: np.zeros((4, 2)))
    with pytest.raises(RuntimeError, match="2 epochs were seen instead of 4"):
        run(lambda *_: short, "lstm", str(tmp_path / "rows.npz"), 0)


def row(name: str, *seconds: float, says: str = "") -> Row:
    return Row(name, name, seconds=list(seconds), says=says)


def test_goals_are_ratios_to_the_fastest_peer_and_shares_of_the_machine():
    own = row("deepwell", 1.0, 2.0, says="Computes with bfloat16.")
    rows = [own, row("deepwell_fp32", 1.5, 3.0), row("keras_jax", 3.0, 6.0), row("torch", 2.0, 4.0)]
    rates = {"fp32 convolution": 100.0, "bf16 convolution": 400.0}
    outcome = judged(WORKLOADS["cnn"], Turns(rows), rates, flops=int(300e9))
    assert outcome.references == {"": "torch"}
    pace, share = outcome.goals
    assert (pace.value, pace.is_met) == (2.0, True)
    assert share.value == pytest.approx(300 / 1.5 / 400)
    assert share.is_met
    assert any("deepwell: Computes with bfloat16." in note for note in outcome.notes)


def test_the_goal_of_the_table_speaks_of_two_peers():
    rows = [row("deepwell", 1.0), row("skorch", 5.0), row("lightning", 4.0), row("torch", 2.0)]
    outcome = judged(WORKLOADS["table"], Turns(rows), {}, flops=0)
    (goal,) = outcome.goals
    assert (goal.value, goal.limit) == (4.0, 3.0)
    assert outcome.references == {"": "torch"}


def test_arithmetic_of_a_step_is_counted():
    work = replace(WORKLOADS["mlp"], batch_size=4)
    weights, last = 784 * 128 + 128 * 10, 128 * 10
    # forward, gradient of the weights, and of what enters the second layer
    assert flops_of_step(work, few_rows("mlp")) == 2 * 4 * (weights + weights + last)
