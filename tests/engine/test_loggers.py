"""Loggers: what they are told, and what they make of it. Real packages where they are installed."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_fakes import Classify, engine, mlp, train_rows, val_rows

from deepwell.engine import EngineSettings, fit
from deepwell.engine.loggers import catalog
from deepwell.engine.loggers.base import Logger, Subject, make_logger, with_loggers
from deepwell.engine.loggers.mlflow import MLflowLogger
from deepwell.engine.loggers.tensorboard import TensorBoardLogger
from deepwell.errors import ConfigError, MissingExtraError, RunError

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None
HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None


class Client:
    """Stands for the client of a tracking server."""

    fails = False

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        self.calls: list[tuple[Any, ...]] = []
        made.append(self)

    def get_experiment_by_name(self, name: str) -> None:
        self.calls.append(("experiment", name))

    def create_experiment(self, name: str) -> str:
        return "7"

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.calls.append(("create", experiment, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def update_run(self, run_id: str, status: str) -> None:
        self.calls.append(("update", run_id, status))

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        if Client.fails:
            raise ConnectionError("the server is away\nTraceback")
        self.calls.append(("batch", run_id, list(metrics), list(params)))

    def log_artifact(self, run_id: str, path: str) -> None:
        self.calls.append(("file", path))

    def log_artifacts(self, run_id: str, path: str, place: str) -> None:
        self.calls.append(("folder", path, place))

    def set_terminated(self, run_id: str, status: str) -> None:
        self.calls.append(("end", run_id, status))


made: list[Client] = []


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """A package mlflow whose client writes down what it is told."""
    package, tracking, entities = (ModuleType(f"mlflow{e}") for e in ("", ".tracking", ".entities"))
    package.__spec__ = importlib.util.spec_from_loader("mlflow", None)
    tracking.MlflowClient = Client  # type: ignore[attr-defined]
    entities.Metric = lambda *values: values  # type: ignore[attr-defined]
    entities.Param = lambda *values: values  # type: ignore[attr-defined]
    for module in (package, tracking, entities):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Client, "fails", False)
    made.clear()
    return made


def train(logger: Logger) -> None:
    fit(
        mlp(), Classify(), train_rows(), val_batches=val_rows(),
        settings=engine(epochs=2, log_every=3), callbacks=[logger],
    )  # fmt: skip


def metrics(client: Client) -> list[tuple[str, float, int, int]]:
    return [metric for call in client.calls if call[0] == "batch" for metric in call[2]]


def test_mlflow_is_told_settings_curves_scores_and_files(mlflow: list[Client], tmp_path: Path):
    subject = Subject(
        folder=tmp_path, name="houses", settings={"engine": {"epochs": 2}, "long": "x" * 9000}
    )
    logger = make_logger("mlflow", subject)
    train(logger)
    report, model = tmp_path / "report.html", tmp_path / "model"
    report.write_text("")
    model.mkdir()
    logger.log_results({"rmse": 3.5}, [report, model])
    logger.close("finished")
    logger.close("failed")  # a second time does nothing
    (client,) = mlflow
    assert client.uri == f"sqlite:///{Path('mlflow.db').absolute()}"
    assert ("experiment", "deepwell") in client.calls
    assert ("create", "7", "houses") in client.calls
    params = [param for call in client.calls if call[0] == "batch" for param in call[3]]
    assert params == [("engine.epochs", "2"), ("long", "x" * 500)]
    told = metrics(client)
    steps = [step for name, _, _, step in told if name == "step/loss"]
    assert steps == [3, 6, 9, 12]
    assert [step for name, _, _, step in told if name == "val/accuracy"] == [6, 12]
    assert {"train/loss", "val/loss", "step/learning_rate", "epoch"} <= {m[0] for m in told}
    assert ("test/rmse", 3.5) in [metric[:2] for metric in told]
    assert client.calls[-3:] == [
        ("file", str(report)), ("folder", str(model), "model"), ("end", "r1", "FINISHED"),
    ]  # fmt: skip
    # bundles, not a call a number
    assert sum(call[0] == "batch" and bool(call[2]) for call in client.calls) <= 2


def test_mlflow_goes_on_with_the_run_of_a_stopped_training(
    mlflow: list[Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    first = MLflowLogger(Subject(folder=tmp_path, name="a"))
    first.begin(0)
    place = first.place()
    assert place["tracking_uri"] == place["show"] == "http://server:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    again = MLflowLogger(Subject(folder=tmp_path, name="a", known=place))
    again.begin(40)
    assert mlflow[1].uri == "http://server:5000"
    assert mlflow[1].calls == [("update", "r1", "RUNNING")]


def test_a_server_that_fails_later_costs_no_training(
    mlflow: list[Client],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr("deepwell.engine.loggers.mlflow.SECONDS", -1.0)
    logger = MLflowLogger(Subject(folder=tmp_path, name="a"))
    logger.begin(0)
    monkeypatch.setattr(Client, "fails", True)
    logger.write({"step/loss": 1.0}, 1)
    assert "the server is away" in caplog.text
    assert "Traceback" not in caplog.text
    monkeypatch.setattr(Client, "fails", False)
    logger.write({"step/loss": 2.0}, 2)
    assert [(name, value, step) for name, value, _, step in metrics(mlflow[0])] == [
        ("step/loss", 1.0, 1), ("step/loss", 2.0, 2),
    ]  # fmt: skip


def test_a_server_that_is_not_there_is_an_error_at_the_start(mlflow: list[Client], tmp_path: Path):
    Client.fails = True
    subject = Subject(folder=tmp_path, name="a", settings={"seed": 0})
    with pytest.raises(RunError, match="the server is away"):
        MLflowLogger(subject).begin(0)


class Writer:
    def __init__(self, folder: str, purge_step: int | None) -> None:
        self.folder, self.purge_step = folder, purge_step
        self.scalars: list[tuple[str, float, int | None]] = []
        self.is_closed = False
        writers.append(self)

    def add_text(self, name: str, text: str) -> None:
        self.text = text

    def add_scalar(self, name: str, value: float, step: int | None = None) -> None:
        self.scalars.append((name, value, step))

    def flush(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


writers: list[Writer] = []


@pytest.fixture
def tensorboard(monkeypatch: pytest.MonkeyPatch) -> list[Writer]:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    package = ModuleType("tensorboard")
    package.__spec__ = importlib.util.spec_from_loader("tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard", package)
    writers.clear()
    return writers


def test_tensorboard_is_told_curves_and_scores(tensorboard: list[Writer], tmp_path: Path):
    logger = TensorBoardLogger(Subject(folder=tmp_path, name="a", settings={"seed": 3}))
    train(logger)
    logger.log_results({"rmse": 3.5})
    logger.close("finished")
    (writer,) = tensorboard
    assert writer.folder == str(tmp_path / "tensorboard")
    assert (writer.purge_step, writer.is_closed) == (None, True)
    assert "| seed | 3 |" in writer.text
    assert [step for name, _, step in writer.scalars if name == "val/loss"] == [6, 12]
    assert ("test/rmse", 3.5, None) in writer.scalars
    again = TensorBoardLogger(Subject(folder=tmp_path, name="a"))
    again.begin(6)
    assert tensorboard[1].purge_step == 7


def test_fit_alone_makes_its_loggers(
    tensorboard: list[Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    settings = engine(epochs=1, loggers=["tensorboard"])
    fit(mlp(), Classify(), train_rows(), settings=settings)
    (writer,) = tensorboard
    assert writer.folder.startswith("runs")
    assert writer.is_closed
    assert "engine.epochs | 1" in writer.text
    own = TensorBoardLogger(Subject(folder=tmp_path, name="mine"))
    assert with_loggers([own], ["tensorboard"], {}) == (own,)


def test_unknown_and_missing_loggers_are_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match='Did you mean "mlflow"'):
        EngineSettings.model_validate({"loggers": ["mlflo"]})
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install deepwell\[track\]"):
        catalog.check_loggers(["tensorboard"])


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="the package tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_real_tensorboard_reads_what_was_written(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(Subject(folder=tmp_path, name="a"))
    train(logger)
    logger.close("finished")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("val/loss")] == [6, 12]


@pytest.mark.skipif(not HAS_MLFLOW, reason="the package mlflow is not installed")
@pytest.mark.filterwarnings("ignore")
def test_real_mlflow_keeps_a_run_in_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    logger = MLflowLogger(Subject(folder=tmp_path, name="a", settings={"seed": 3}))
    train(logger)
    logger.close("interrupted")
    run = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(logger.place()["run_id"])
    assert run.info.status == "KILLED"
    assert run.data.params == {"seed": "3"}
    assert run.data.metrics["epoch"] == 2
