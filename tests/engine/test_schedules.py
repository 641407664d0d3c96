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


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one_cycle"])
def test_without_warmup_the_first_step_is_full(name: str):
    assert SCHEDULES[name](0, 50, 0) == 1.0


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "constant"])
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
