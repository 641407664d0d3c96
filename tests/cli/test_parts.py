"""`deepwell models --parts`: everything by name."""

from command import Refuse, RunCli

from deepwell.engine.parts import parts


def test_all_parts_are_listed_with_their_setting(run_cli: RunCli) -> None:
    shown = run_cli("models", "--parts").out
    for title, setting, members in parts():
        assert title in shown
        assert setting in shown
        for part in members:
            assert part.name in shown


def test_parts_of_one_architecture_are_refused(refuse: Refuse) -> None:
    refuse("models", "mlp", "--parts", match="leave mlp out")
