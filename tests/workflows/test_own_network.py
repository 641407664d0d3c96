"""People who own their network get the whole road for it."""

from pathlib import Path

import polars as pl
import pytest
import small_data
import torch
from torch import nn

import deepwell
from deepwell.errors import ArtifactError, ModelError, RunError

VISITORS = small_data.visitors().select("age", "clicks", "city", "score")


class Tower(nn.Module):
    """A network as a user would write it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def eyes() -> nn.Module:
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(4, 1))


def test_own_network_for_a_table(tmp_path: Path) -> None:
    settings = small_data.settings(engine={"epochs": 40})
    result = deepwell.train(VISITORS, "score", model=Tower(5), runs=tmp_path, settings=settings)
    assert result.folder.path.name.endswith("tower")
    assert result.metrics["r2"]["value"] > 0.3
    assert result.summary["model"] == "custom"
    assert result.report.is_file()
    loaded = deepwell.load(result.folder.path, model=Tower(5))
    expected = result.predict(VISITORS)["prediction"].to_list()
    assert loaded.predict(VISITORS)["prediction"].to_list() == expected


def test_own_network_for_pictures(tmp_path: Path) -> None:
    folder = small_data.draw_pictures(tmp_path / "pictures")
    settings = small_data.settings(engine={"epochs": 20, "batch_size": 8, "learning_rate": 0.02})
    result = deepwell.train(folder, model=eyes(), runs=tmp_path / "runs", settings=settings)
    assert result.metrics["accuracy"]["value"] > 0.9
    loaded = deepwell.load(result.folder.path, model=eyes())
    answers = loaded.predict(folder)
    assert answers["prediction"].to_list() == result.predict(folder)["prediction"].to_list()


def test_loading_without_the_network_says_what_to_give(tmp_path: Path) -> None:
    result = deepwell.train(
        VISITORS, "score", model=Tower(5), runs=tmp_path, settings=small_data.FAST
    )
    with pytest.raises(ArtifactError, match="model="):
        deepwell.load(result.folder.path)
    with pytest.raises(ArtifactError):
        deepwell.load(result.folder.path, model=nn.Linear(5, 1))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Tower(3), r"cannot read this data: called with inputs of shape \(2, 5\)"),
        (nn.Linear(5, 4), r"must return a tensor of shape \(2, 1\)"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    tmp_path: Path, network: nn.Module, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        deepwell.train(VISITORS, "score", model=network, runs=tmp_path, settings=small_data.FAST)
    assert not list(tmp_path.iterdir())


def test_resume_with_own_network_equals_the_uninterrupted_run(tmp_path: Path) -> None:
    from deepwell.files import sha256

    path = tmp_path / "visitors.csv"
    VISITORS.write_csv(path)
    torch.manual_seed(5)
    networks = [Tower(5), Tower(5)]
    networks[1].load_state_dict(networks[0].state_dict())

    class StopAfter(deepwell.engine.Callback):
        def on_epoch_ended(self, state: object) -> None:
            import os
            import signal

            if getattr(state, "epoch", 0) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    settings = small_data.settings(engine={"epochs": 4})
    whole = deepwell.train(path, "score", model=networks[0], runs=tmp_path, settings=settings)
    with pytest.raises(KeyboardInterrupt, match=r"deepwell\.resume\(.*, model=…\)"):
        deepwell.train(
            path,
            "score",
            model=networks[1],
            name="stopped",
            runs=tmp_path,
            settings=settings,
            callbacks=[StopAfter()],
        )
    with pytest.raises(RunError, match="a network of your own"):
        deepwell.resume(tmp_path / "stopped")
    resumed = deepwell.resume(tmp_path / "stopped", model=Tower(5))
    files = [run.model / "model.safetensors" for run in (whole.folder, resumed.folder)]
    assert sha256(files[0]) == sha256(files[1])
    assert pl.DataFrame(whole.predict(VISITORS)).equals(resumed.predict(VISITORS))
