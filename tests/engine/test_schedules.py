import math

import pytest

from deepwell.engine.schedules import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (2, 1), (100, 0), (100, 10), (7, 6)])
def test_factors_are_between_zero_and_one(name: str, total: int, warmup: int):
    factors = [SCHEDULES[name](step, total, warmup) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize("name", SCHEDULES)
def test_warmup_rises_to_one(name: str):
    factors = [SCHEDULES[name](step, 100, 10) for step in range(11)]
    assert factors == sorted(factors)
    assert factors[0] < 0.1
    assert factors[10] == pytest.approx(1.0)


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"one_cycle", "coslog"}))
def test_without_warmup_the_first_step_is_full(name: str):
    assert SCHEDULES[name](0, 50, 0) == 1.0


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"constant", "plateau", "inverse_sqrt"}))
def test_the_end_is_small(name: str):
    assert SCHEDULES[name](999, 1000, 0) < 0.02


def test_cosine_is_torchs():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for step in range(30):
        assert SCHEDULES["cosine"](step, 30, 0) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_formulas():
    polynomial, restarts = SCHEDULES["polynomial"], SCHEDULES["warm_restarts"]
    stable, root, exponential = (
        SCHEDULES[name] for name in ("stable_decay", "inverse_sqrt", "exponential")
    )
    for step in range(10, 100):
        share = (step - 10) / 90
        assert polynomial(step, 100, 10, power=1.5) == pytest.approx((1 - share) ** 1.5)
        within = (step - 10) % 30 / 30
        expected = 0.5 * (1 + math.cos(math.pi * within))
        assert restarts(step, 100, 10, cycles=3) == pytest.approx(expected)
        expected = 1.0 if step < 70 else (100 - step) / 30
        assert stable(step, 100, 10, decay_share=0.3) == pytest.approx(expected)
        assert root(step, 100, 10) == pytest.approx(math.sqrt(11 / (step + 1)))
        assert exponential(step, 100, 10, floor=0.2) == pytest.approx(0.2**share)
    step_down = SCHEDULES["step"]
    assert [step_down(s, 8, 0, factor=0.5) for s in (3, 4, 6)] == [1.0, 0.5, 0.25]
    assert step_down(7, 8, 0) == 0.01


@pytest.mark.parametrize(("patience", "factor"), [(1, 0.5), (3, 0.1)])
def test_plateau_is_torchs(patience: int, factor: float):
    torch = pytest.importorskip("torch")
    from deepwell.engine.plateau import Plateau

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience - 1, threshold=0.0, eps=0.0
    )
    values = [5.0, 4.0, 4.5, 4.2, 4.1, 3.9, 4.0, 4.0, 4.0, 4.0, 3.0, 3.1, 3.2, 3.3]
    plateau, best = Plateau(patience=patience, factor=factor), float("inf")
    for value in values:
        scheduler.step(value)
        found = plateau.note(value < best)
        best = min(best, value)
        assert found == pytest.approx(optimizer.param_groups[0]["lr"])
    again = Plateau(patience=patience, factor=factor)
    again.load(plateau.to_json())
    assert [again.note(False) for _ in range(4)] == [plateau.note(False) for _ in range(4)]


def test_the_rate_falls_in_training_when_nothing_improves():
    pytest.importorskip("torch")
    from engine_fakes import Classify, engine, mlp, train_rows, val_rows

    from deepwell.engine import fit

    settings = engine(
        epochs=6, optimizer="sgd", learning_rate=1e-30, schedule="plateau",
        schedule_options={"patience": 2, "factor": 0.5},
    )  # fmt: skip
    rows = {"val_batches": val_rows()}
    history = fit(mlp(), Classify(), train_rows(), settings=settings, **rows).history
    rates = [line["learning_rate"] / 1e-30 for line in history]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25])
