import pytest
from benchmarks.quiet import Watch

from benchmarks import quiet


@pytest.mark.parametrize(
    ("everyone", "own", "share"),
    [(109.02, 13.0, 0.3), (103.0, 13.0, 0.0), (99.0, 13.0, 0.0), (200.0, 10.0, 1.0)],
)
def test_others_are_all_but_ourselves(
    monkeypatch: pytest.MonkeyPatch, everyone: float, own: float, share: float
):
    now = Watch(clock=10.0, everyone=everyone, own=own)
    monkeypatch.setattr(Watch, "now", classmethod(lambda cls: now))
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 2)
    # ten seconds on two cores are twenty
    assert Watch(clock=0.0, everyone=100.0, own=10.0).others() == pytest.approx(share)


def test_without_a_count_of_all_programs_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quiet, "_everyone", lambda: 0.0)
    assert Watch.now().others() == 0.0


def test_waiting_ends_when_others_do_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quiet, "PATIENCE", 0.0)
    monkeypatch.setattr(quiet, "PAUSE", 0.0)
    monkeypatch.setattr(Watch, "others", lambda watch: 0.5)
    assert not quiet.wait()
    monkeypatch.setattr(Watch, "others", lambda watch: 0.01)
    assert quiet.wait()
