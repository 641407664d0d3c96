import torch
from benchmarks.overhead import Workload, bare, by_engine, by_hand


def test_engine_and_loop_by_hand_do_the_same_bit_for_bit():
    rows = torch.Generator().manual_seed(1)
    inputs, labels = torch.rand(70, 6, generator=rows), torch.arange(70) % 10
    work = Workload("small", inputs, labels, (6, 8, 10), 16, epochs=3)
    start = list(work.network().parameters())
    engine, hand, short = (list(f(work).parameters()) for f in (by_engine, by_hand, bare))
    for one, other, third, first in zip(engine, hand, short, start, strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, first)
        torch.testing.assert_close(one, third, rtol=1e-3, atol=1e-4)
