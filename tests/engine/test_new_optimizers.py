"""Lion, Muon, full batch, L-BFGS, rates by layer: each against its formula or torch."""

import pytest
import torch
from engine_fakes import Classify, engine, mlp, same, table, weights
from torch import Tensor, nn

from deepwell.engine import EngineSettings, TensorBatches, build_optimizer, fit
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.optimizers.groups import layer_depths


def test_every_entry_says_what_it_does_and_who_found_it():
    for name, entry in OPTIMIZERS.items():
        assert entry.summary.endswith("."), name
        assert any(year in entry.source for year in ("19", "20", "18")), name


def test_lion_is_algorithm_2():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    by_hand = [p.detach().clone() for p in model.parameters()]
    means = [torch.zeros_like(p) for p in by_hand]
    settings = EngineSettings(
        optimizer="lion", learning_rate=0.1, betas=(0.8, 0.7), weight_decay=0.5
    )
    optimizer = build_optimizer(model, settings)
    for step in range(5):
        inputs = torch.randn(4, 3)
        optimizer.zero_grad()
        model(inputs).pow(2).sum().backward()
        optimizer.step()
        copies = [p.clone().requires_grad_() for p in by_hand]
        nn.functional.linear(inputs, *copies).pow(2).sum().backward()
        for i, (copy, decay) in enumerate(zip(copies, (0.5, 0.0), strict=True)):
            assert copy.grad is not None
            direction = torch.sign(0.8 * means[i] + 0.2 * copy.grad)
            by_hand[i] = copy.detach() - 0.1 * (direction + decay * copy.detach())
            means[i] = 0.7 * means[i] + 0.3 * copy.grad
        for one, other in zip(model.parameters(), by_hand, strict=True):
            torch.testing.assert_close(one.detach(), other, msg=f"step {step}")


def test_muon_is_torchs_for_hidden_matrices_and_adamw_for_the_rest():
    def network() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Embedding(7, 6), nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 8),
            nn.LayerNorm(8), nn.Linear(8, 3),
        )  # fmt: skip

    ours, by_hand = network(), network()
    settings = EngineSettings(optimizer="muon", learning_rate=0.05, weight_decay=0.1)
    optimizer = build_optimizer(ours, settings)
    hidden = [by_hand[2].weight, by_hand[4].weight]
    chosen = {id(p) for p in hidden}
    others = [p for p in by_hand.parameters() if id(p) not in chosen]
    muon = torch.optim.Muon(
        hidden, lr=0.05, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    groups = [
        {"params": [by_hand[6].weight], "weight_decay": 0.1},
        {"params": [p for p in others if p is not by_hand[6].weight], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=0.05, fused=True)
    codes = torch.randint(7, (16, 2))
    for _ in range(6):
        for model, optimizers in ((ours, [optimizer]), (by_hand, [muon, adamw])):
            model.zero_grad()
            model(codes).square().mean().backward()
            for each in optimizers:
                each.step()
    assert same(weights(ours), weights(by_hand))
    assert not torch.equal(ours[4].weight, network()[4].weight)


def test_layers_below_learn_more_slowly():
    model = nn.Sequential(
        nn.BatchNorm1d(4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.Linear(4, 1)
    )
    depths = layer_depths(model)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[key].partition(".")[0]: depth for key, depth in depths.items()} == {
        "0": 2, "1": 2, "2": 2, "3": 1, "4": 0,
    }  # fmt: skip
    settings = EngineSettings(optimizer="adamw", layer_decay=0.5)
    scales = {
        names[id(p)]: group["rate_scale"]
        for group in build_optimizer(model, settings).param_groups
        for p in group["params"]
    }
    assert scales["4.weight"] == 1.0
    assert scales["3.bias"] == 0.5
    assert scales["0.weight"] == scales["1.weight"] == 0.25


def test_rates_by_layer_reach_the_steps():
    settings = engine(
        epochs=1, max_steps=1, optimizer="sgd", learning_rate=0.1, layer_decay=0.5,
        schedule="constant",
    )  # fmt: skip
    inputs, targets, _ = table(16)
    rows = TensorBatches((inputs,), targets, batch_size=16)
    model, before = mlp(), mlp()
    nn.functional.cross_entropy(before(inputs), targets).backward()
    fit(model, Classify(), rows, settings=settings)
    for name, rate in (("0.weight", 0.05), ("0.bias", 0.05), ("3.weight", 0.1)):
        old = before.get_parameter(name)
        assert old.grad is not None
        torch.testing.assert_close(model.get_parameter(name), old - rate * old.grad)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_descent_takes_one_step_over_all_rows(weighted: bool):
    inputs, targets, weight = table(rows=90)
    rows = TensorBatches(
        (inputs.double(),), targets, weight=weight if weighted else None, batch_size=16,
        shuffle=True,
    )  # fmt: skip
    settings = engine(
        epochs=3, optimizer="gradient_descent", learning_rate=0.5, schedule="constant"
    )
    model, by_hand = mlp().double(), mlp().double()
    result = fit(model, Classify(), rows, settings=settings)
    assert result.steps == 3
    share = (weight if weighted else torch.ones(90)).double()
    for _ in range(3):
        by_hand.zero_grad()
        losses = nn.functional.cross_entropy(by_hand(inputs.double()), targets, reduction="none")
        ((losses * share).sum() / share.sum()).backward()
        with torch.no_grad():
            for p in by_hand.parameters():
                p -= 0.5 * p.grad  # type: ignore[operator]
    for name, tensor in weights(by_hand).items():
        torch.testing.assert_close(weights(model)[name], tensor, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("weight_decay", [None, 0.02])
def test_lbfgs_is_torchs_on_all_rows(weight_decay: float | None):
    inputs, targets, _ = table(rows=90)
    inputs = inputs.double()
    settings = engine(
        epochs=1, optimizer="lbfgs", learning_rate=1.0, schedule="constant",
        weight_decay=weight_decay,
    )  # fmt: skip
    model, by_hand = mlp().double(), mlp().double()
    rows = TensorBatches((inputs,), targets, batch_size=90)
    result = fit(model, Classify(), rows, settings=settings)
    optimizer = torch.optim.LBFGS(
        by_hand.parameters(), lr=1.0, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        # a search makes much of the last bit: the same operations as in the engine
        losses = nn.functional.cross_entropy(by_hand(inputs).float(), targets, reduction="none")
        loss = losses.sum() / 90
        loss.backward()
        for p in by_hand.parameters():
            if weight_decay and p.ndim > 1:
                loss = loss + 0.5 * weight_decay * p.detach().square().sum()
                p.grad += weight_decay * p.detach()  # type: ignore[operator]
        return loss

    optimizer.step(closure)
    for name, tensor in weights(by_hand).items():
        torch.testing.assert_close(weights(model)[name], tensor, rtol=1e-6, atol=1e-6)
    assert result.steps == 1


def test_lbfgs_is_fast_on_all_rows():
    inputs, targets, _ = table(rows=90)
    rows = TensorBatches((inputs,), targets, batch_size=40)
    result = fit(mlp(), Classify(), rows, settings=engine(epochs=3, optimizer="lbfgs"))
    losses = [line["train"]["loss"] for line in result.history]
    assert losses[2] < losses[1] / 2 < losses[0] / 4


def test_lbfgs_over_many_batches_is_one_batch():
    inputs, targets, weight = table(rows=90)
    results = []
    for size in (90, 16):
        rows = TensorBatches((inputs.double(),), targets, weight=weight, batch_size=size)
        model = mlp().double()
        fit(model, Classify(), rows, settings=engine(epochs=1, optimizer="lbfgs"))
        results.append(weights(model))
    for name, tensor in results[0].items():
        torch.testing.assert_close(results[1][name], tensor, rtol=1e-4, atol=1e-5)


def test_lbfgs_draws_the_same_dropout_within_a_step():
    inputs, targets, _ = table(rows=90)
    rows = TensorBatches((inputs,), targets, batch_size=45)
    seen: list[float] = []

    class Watch(Classify):
        def training_step(self, model, batch):  # type: ignore[no-untyped-def]
            drawn = torch.get_rng_state()
            seen.append(float(drawn.float().sum()))
            return super().training_step(model, batch)

    settings = engine(epochs=1, optimizer="lbfgs", health=False)  # a look is a call too
    fit(mlp(dropout=0.5), Watch(), rows, settings=settings)
    assert len(seen) > 4
    assert len(set(seen[::2])) == len(set(seen[1::2])) == 1
