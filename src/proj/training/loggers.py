"""Where a run's curves go beside TensorBoard: into a table, to MLflow, to Weights & Biases; and how they go on.

The table, metrics.csv, has a row for each time that the run logs, also where services are the run's only loggers: they
get their rows from it. A checkpoint holds the number of rows. A run that goes on cuts the table back to it, and sends a
service what it lacks; what it has beyond that cannot be taken back, and is left out when the run computes it again.
"""

import csv
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import DummyLogger

from proj.config.compose import build
from proj.config.settings import policy
from proj.errors import UserError
from proj.reports.runs import read_rows
from proj.system.files import write_atomically
from proj.system.locks import alone
from proj.system.processes import rank
from proj.system.run_folder import RunFolder, SweepFolder, flat, parse_yaml, read, write_json

CURVES, TABLE = "proj.pictures.tensorboard.Curves", "proj.training.loggers.Table"
SERVICES = ("proj.training.loggers.MLflow", "proj.training.loggers.WandB")
TAG = "proj.run"  # of a run in MLflow: the id in the run's folder
OPEN: list["WandB"] = []


class Rows(ExperimentWriter):
    """Writes all rows as one whole file. Lightning's adds to the file, and rewrites it in place for a new column."""

    def _check_log_dir_exists(self) -> None:
        """Lightning's deletes the file of a run that goes on."""

    def save(self) -> None:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, sorted(set().union(*self.metrics)))
        table.writeheader()
        table.writerows(self.metrics)
        write_atomically(Path(self.metrics_file_path), text.getvalue())


class Table(CSVLogger):
    """metrics.csv in the run's folder, and the settings in hparams.yaml. count: of the rows at the run's checkpoint."""

    def __init__(self, save_dir: Path, count: int = 0, **settings: Any) -> None:
        super().__init__(save_dir, name="", version="", **settings)
        self._experiment = Rows(self.log_dir)
        self.rows = self._experiment.metrics
        self.rows += read_rows(RunFolder(save_dir).table)[:count]


class Service(Logger):
    """Sends the rows of a table to a service. Where that is away, the run goes on and tries again each minute.

    A service says itself what it `lacks` of the next row.
    """

    title: str
    rows: list[dict[str, Any]]
    count = 0  # of the rows that are sent, or that the service has
    pause = 0.0  # until this time of the clock it is left alone
    steps: dict[str, int] | None = None  # the last one that it has, by tag; None where it is to be asked

    def log_metrics(self, metrics: Any = None, step: int | None = None) -> None:
        """Send what the service lacks. This row is the table's last one."""
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
                print(
                    f"{self.title} does not take what the run logs ({type(error).__name__}: {said(error)}): the "
                    "run goes on, and tries again each minute; metrics.csv in its folder has all."
                )
            self.pause, self.steps = time.monotonic() + 60, None  # it may have taken the row, or not

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self.attempt(super().after_save_checkpoint, checkpoint_callback)

    def finalize(self, status: str) -> None:
        self.attempt(self.send)
        self.attempt(super().finalize, status)


class MLflow(Service, MLFlowLogger):
    """A run in MLflow, which is found again by its tag."""

    title = "MLflow"

    def __init__(self, save_dir: Path, entry: dict, begun: bool, tracking_uri: str | None = None, **settings) -> None:
        from mlflow import MlflowClient

        # MLflow itself would try for minutes, and the training would wait for it.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        asked = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = asked or f"sqlite:///{folder_of_all(save_dir) / 'mlflow.db'}"
        name = settings.pop("experiment_name", None) or entry["group"]
        with alone(folder_of_all(save_dir) / ".mlflow.lock"):  # two jobs would both make the tables, and one would fail
            client = MlflowClient(uri)
            if (experiment := client.get_experiment_by_name(name)) is None:
                with suppress(Exception):  # a job on another machine makes it in this very moment
                    client.create_experiment(name, str(folder_of_all(save_dir) / "mlartifacts") if not asked else None)
        own = f"tags.`{TAG}` = '{entry['id']}'"
        runs = client.search_runs([experiment.experiment_id], own) if experiment else []
        for run in [] if begun else runs:  # it was killed before its first checkpoint
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
        known = self.client.get_run(self.run_id).data.params  # which MLflow lets nobody change
        allowed = {re.sub(r"[^\w.\- /]", "_", key): value for key, value in params.items()}
        super().log_hyperparams({key: value for key, value in allowed.items() if key not in known})


class WandB(Service, WandbLogger):
    """A run of Weights & Biases, which goes on by its id.

    Offline, it begins anew in a folder that gets all rows: of a process that is killed the last ones were not written,
    and of two folders with the same id the second one would be sent over the first.
    """

    title = "Weights & Biases"

    def __init__(self, save_dir: Path, entry: dict, begun: bool, project: str | None = None, **settings: Any) -> None:
        project = project or os.environ.get("WANDB_PROJECT") or "proj"
        # Without `resume`, what the service has of a run of this id is overwritten.
        settings = entry | {"resume": "allow" if begun else None} | settings
        super().__init__(save_dir=str(save_dir), project=project, **settings)
        self._wandb_init.pop("anonymous")  # which Lightning 2.6 gives, and the library warns of
        OPEN.append(self)
        run = self.experiment
        self.sent, self.last = run.step, int(run.summary.get("trainer/global_step") or -1)
        if run.offline:
            for folder in Path(save_dir, "wandb").glob(f"offline-run-*-{entry['id']}"):
                if folder != Path(run.dir).parent:
                    shutil.rmtree(folder, ignore_errors=True)

    def lacks(self, row: dict[str, float], step: int) -> dict[str, float]:
        return {} if self.count < self.sent and step <= self.last else row


def folder_of_all(folder: Path) -> Path:
    """Where runs lie: outputs, or else the folder above this one."""
    above = folder.absolute().parents
    return next((parent for parent in above if parent.name == "outputs"), above[0])


def entry_of(run: RunFolder, config: dict) -> dict[str, str]:
    """What a service knows a run by: it is made once, since the folder may move.

    group: the sweep, or the dataset of a single run.
    """
    known = read(run.entry)
    if re.fullmatch("[0-9a-f]{16}", str(known.get("id"))) and known.keys() == {"id", "name", "group"}:
        return known
    entry = {"name": f"{config['choices']['model']} {run.path.name}", "group": config["choices"]["dataset"]}
    if run.job.is_file():
        sweep = SweepFolder(run.path.absolute().parent)
        entry = {"name": run.path.name, "group": str(read(sweep.about, parse_yaml).get("name", sweep.path.name))}
    write_json(run.entry, made := {"id": secrets.token_hex(8), **entry})
    return made


def said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def build_loggers(folder: Path, config: dict, state: dict | None) -> list[Logger]:
    """Those of the configuration, told its settings: what writes into the run's folder first, then the services.

    state: what `Resume` wrote into the checkpoint of a run that goes on.
    Raises UserError for a service that does not answer: to do without it is the user's choice.
    """
    run, settings = RunFolder(folder), {"save_dir": folder, "count": (state or {}).get("rows", 0)}
    own = {CURVES: {"save_dir": folder}, TABLE: settings}
    nodes = {name: node for name, node in config["logger"].items() if node and node.get("_target_")}
    services = {name: node for name, node in nodes.items() if node["_target_"] in SERVICES}
    loggers = [build(node, **own.get(node["_target_"], {})) for name, node in nodes.items() if name not in services]
    table = next((one for one in loggers if isinstance(one, Table)), None)
    if services and table is None:
        loggers.append(table := Table(**settings))
    parameters = {key: value for key, value in flat(config, ".").items() if policy(key).report != "never"}
    if table is not None:
        table.log_hyperparams(parameters)
    for name, node in services.items():
        if rank():
            loggers.append(DummyLogger())
            continue
        try:
            service = build(node, save_dir=folder, entry=entry_of(run, config), begun=state is not None)
            service.rows = table.rows
            service.log_hyperparams(parameters)
        except (UserError, OSError) as error:
            raise UserError(
                f"{said(error)}: logger={name} cannot begin, and without it the run does (~logger.{name})."
            ) from error
        service.log_metrics()
        loggers.append(service)
    return loggers


@contextmanager
def services_end() -> Iterator[None]:
    """A run of Weights & Biases ends with the run, also one that fails: else a sweep's next job would go on in it."""
    code = 1
    try:
        yield
        code = 0
    finally:
        while OPEN:
            service = OPEN.pop()
            service.attempt(service.experiment.finish, code)
