"""The loggers for two services: MLflow, and Weights & Biases."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger

from proj.errors import named
from proj.system.locks import alone
from proj.system.ranks import say

TAG = "proj.run"  # the tag of a run in MLflow, whose value is the id in the run's folder
OPEN: list["WandB"] = []  # the loggers whose run has not been finished yet


class Service(Logger):
    """Sends the rows of the table to a service. If the service fails, the run goes on and tries again each minute.

    A subclass implements `lacks(row, step)`, which returns the values of a row that the service does not have yet.
    """

    title: str
    rows: list[dict[str, Any]]
    count = 0  # the number of rows that have been sent, or that the service had already
    pause = 0.0  # after a failure, nothing is sent before this time (of `time.monotonic`)
    steps: dict[str, int] | None = None  # the last step that the service has, by tag; None if it has to be asked

    def log_metrics(self, metrics: Any = None, step: int | None = None) -> None:
        """Send all rows that the service lacks; `metrics` are in the last row of the table already."""
        if time.monotonic() >= self.pause:
            self.attempt(self.send)

    def send(self) -> None:
        while self.count < len(self.rows):
            row = {tag: float(value) for tag, value in self.rows[self.count].items()}
            step = int(row.pop("step"))
            if new := self.lacks(row, step):
                super().log_metrics(new, step)
            self.count += 1

    def attempt(self, call: Callable, *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:
            if not self.pause:
                what = f"{self.title} does not take what the run logs ({named(error, 300)})"
                say(f"{what}: the run continues and tries again every minute; metrics.csv in its folder has it all.")
            self.pause, self.steps = time.monotonic() + 60, None  # it is unknown whether the service has the row

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self.attempt(super().after_save_checkpoint, checkpoint_callback)

    def finalize(self, status: str) -> None:
        self.attempt(self.send)
        self.attempt(super().finalize, status)


class MLflow(Service, MLFlowLogger):
    """A run in MLflow. It is found by its tag when it is resumed."""

    title = "MLflow"

    def __init__(
        self,
        save_dir: Path,
        entry: dict,
        begun: bool,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
        **settings: Any,
    ) -> None:
        from mlflow import MlflowClient

        # By default MLflow retries for minutes, and the training would wait for it.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        asked = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = asked or f"sqlite:///{folder_of_runs(save_dir) / 'mlflow.db'}"
        name = experiment_name or entry["group"]
        with alone(folder_of_runs(save_dir) / ".mlflow.lock"):  # if two jobs created the tables, one would fail
            client = MlflowClient(uri)
            if (experiment := client.get_experiment_by_name(name)) is None:
                with suppress(Exception):  # a job on another machine may have created it just now
                    client.create_experiment(name, str(folder_of_runs(save_dir) / "mlartifacts") if not asked else None)
        own = f"tags.`{TAG}` = '{entry['id']}'"
        runs = client.search_runs([experiment.experiment_id], own) if experiment else []
        if not begun:
            for run in runs:  # earlier attempts, which were killed before their first checkpoint
                client.delete_run(run.info.run_id)
        settings = {"run_name": entry["name"], "run_id": runs[0].info.run_id if begun and runs else None} | settings
        tags = (settings.pop("tags", None) or {}) | {TAG: entry["id"]}
        super().__init__(name, tracking_uri=uri, tags=tags, **settings)
        self.client = self.experiment
        self.client.update_run(self.run_id, status="RUNNING")

    def lacks(self, row: dict[str, float], step: int) -> dict[str, float]:
        if self.steps is None:
            tags = self.client.get_run(self.run_id).data.metrics
            points = {tag: self.client.get_metric_history(self.run_id, tag) for tag in tags}
            self.steps = {tag: max(point.step for point in points[tag]) for tag in tags}
        new = {tag: value for tag, value in row.items() if step > self.steps.get(tag, -1)}
        self.steps |= dict.fromkeys(new, step)
        return new

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        known = self.client.get_run(self.run_id).data.params  # MLflow does not allow these to be changed
        allowed = {re.sub(r"[^\w.\- /]", "_", key): value for key, value in params.items()}
        super().log_hyperparams({key: value for key, value in allowed.items() if key not in known})


class WandB(Service, WandbLogger):
    """A run in Weights & Biases, which is resumed by its id.

    Offline, a resumed run writes all rows to a new folder, and the old one is deleted: it may lack the last rows, and
    if two folders with one id were uploaded, the second would overwrite the first.
    """

    title = "Weights & Biases"

    def __init__(self, save_dir: Path, entry: dict, begun: bool, project: str | None = None, **settings: Any) -> None:
        project = project or os.environ.get("WANDB_PROJECT") or "proj"
        # Without `resume`, a run with this id in the service is overwritten.
        settings = entry | {"resume": "allow" if begun else None} | settings
        super().__init__(save_dir=str(save_dir), project=project, **settings)
        self._wandb_init.pop("anonymous")  # Lightning 2.6 passes it, and wandb warns of it
        run = self.experiment
        OPEN.append(self)
        self.sent, self.last = run.step, int(run.summary.get("trainer/global_step", -1))
        if run.offline:
            for folder in Path(save_dir, "wandb").glob(f"offline-run-*-{entry['id']}"):
                if folder != Path(run.dir).parent:
                    shutil.rmtree(folder, ignore_errors=True)

    def lacks(self, row: dict[str, float], step: int) -> dict[str, float]:
        return {} if self.count < self.sent and step <= self.last else row


def folder_of_runs(folder: Path) -> Path:
    """The folder that holds all runs: the nearest parent named outputs, or else the parent of this folder."""
    above = folder.absolute().parents
    return next((parent for parent in above if parent.name == "outputs"), above[0])


@contextmanager
def services_finished() -> Iterator[None]:
    """A context after which the runs in Weights & Biases are finished, also after an error: otherwise the next job of a
    sweep would continue them."""
    code = 1
    try:
        yield
        code = 0
    finally:
        while OPEN:
            service = OPEN.pop()
            service.attempt(service.experiment.finish, code)
