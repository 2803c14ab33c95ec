"""Loggers: what arrives there, and what a resumed run adds."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

import tacit as tc
from tacit.errors import MissingExtra
from tacit.training import loggers
from tacit.training.loggers import LoggedRun, MLflow, TensorBoard, WandB
from training import small


class Memory:
    """A logger that keeps what it was given."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Mapping[str, float | str]]] = []
        self.closed = False

    def open(self, run: LoggedRun, /) -> None:
        self.run = run

    def write(self, step: int, values: Mapping[str, float | str], /) -> None:
        self.rows.append((step, values))

    def close(self) -> None:
        self.closed = True


def test_a_logger_gets_every_line_and_is_closed_after_an_error(tmp_path: Path) -> None:
    memory = Memory()
    _, report = small.run(tmp_path, steps=6, loggers=[memory])
    assert [{"step": step, **values} for step, values in memory.rows] == list(report.log)
    assert memory.closed and memory.run.options["seed"] == 3
    failing = Memory()
    with pytest.raises(ZeroDivisionError):
        small.run(tmp_path, steps=7, loggers=[failing], hooks=[tc.training.EvalHook(lambda model: 1 / 0)])
    assert failing.closed and failing.run.first == 6


def test_tensorboard_has_the_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    small.run(tmp_path, steps=6, loggers=[TensorBoard()], progress=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss/prediction")] == [0, 5]


def run_of(directory: Path, first: int = 0) -> LoggedRun:
    return LoggedRun(directory, first, 10, {"model": {"latent": 8, "none": {}}, "seed": 3})


def test_mlflow_has_metrics_and_parameters_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    store = (tmp_path / "store").as_uri()
    logger = MLflow("rooms", uri=store)
    logger.open(run_of(tmp_path))
    logger.write(0, {"loss": 2.0, "loss/prediction": 1.0, "warning": "x"})
    logger.close()
    again = MLflow("rooms", uri=store)
    again.open(run_of(tmp_path, first=5))
    again.write(5, {"loss": 1.5})
    again.close()
    client = tracking.MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("rooms").experiment_id])
    assert [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "loss")] == [
        (0, 2.0),
        (5, 1.5),
    ]
    assert run.data.metrics["loss.prediction"] == 1.0
    assert run.data.params == {"model.latent": "8", "model.none": "{}", "seed": "3"}
    assert (run.info.run_name, run.info.status) == (tmp_path.name, "FINISHED")


def test_wandb_writes_an_offline_run(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    logger = WandB(project="rooms", mode="offline")
    logger.open(run_of(tmp_path))
    for step in range(20):  # the file is cut into blocks, within names too
        logger.write(step, {"loss/prediction": 1.0})
    logger.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    end = time.monotonic() + 60
    while b"loss/prediction" not in file.read_bytes() and time.monotonic() < end:
        time.sleep(0.1)  # a process of its own writes it
    assert b"loss/prediction" in file.read_bytes()
    assert (tmp_path / "wandb.id").read_text().strip() in file.name


def test_wandb_continues_its_run_on_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    calls: list[dict[str, object]] = []

    class Run:
        id = "abc"

        def log(self, values: Mapping[str, object], step: int) -> None:
            calls.append({"step": step, **values})

        def finish(self) -> None:
            calls.append({"finished": True})

    def init(**options: object) -> Run:
        calls.append(options)
        return Run()

    monkeypatch.setattr(wandb, "init", init)
    for first in (0, 5):
        logger = WandB(project="rooms", mode="offline")
        logger.open(run_of(tmp_path, first))
        logger.write(first, {"loss": 1.0, "warning": "x"})
        logger.close()
    begun, logged, finished, resumed = calls[:4]
    assert (begun["project"], begun["mode"], begun["id"], begun["name"]) == ("rooms", "offline", None, tmp_path.name)
    assert logged == {"step": 0, "loss": 1.0, "warning": "x"} and finished == {"finished": True}
    assert resumed["id"] == "abc" and calls[4]["step"] == 5


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_logger_without_its_package_says_how_to_install_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torch.utils.tensorboard", "wandb", "mlflow", "mlflow.entities", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"the logger .*{name}"):
        small.run(tmp_path, steps=1, loggers=[loggers.load(name)()])
