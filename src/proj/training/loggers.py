"""Builds a run's loggers (TensorBoard, a table, MLflow, Weights & Biases), and writes the table, metrics.csv.

The table has a row for each time that the run logs. It is also kept if services are the only loggers, since they get
their rows from it. A checkpoint stores the number of rows: a resumed run truncates the table to it, and sends to a
service the rows that the service lacks. Rows that a service has beyond that cannot be deleted, so they are skipped when
the run computes them again.
"""

import re
import secrets
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import DummyLogger

from proj.config.instantiate import build, build_a
from proj.config.settings.table import policy
from proj.errors import UserError, message_of
from proj.reports.curves import read_rows
from proj.system.files import csv_text, write_atomically
from proj.system.ranks import rank
from proj.system.run_folder import RunFolder, SweepFolder, flat, read_flat, write_json

CURVES, TABLE = "proj.pictures.tensorboard.Curves", "proj.training.loggers.Table"
SERVICES = ("proj.training.services.MLflow", "proj.training.services.WandB")


class Rows(ExperimentWriter):
    """Writes all rows at once, atomically. Lightning's writer appends, and rewrites the file for a new column."""

    def _check_log_dir_exists(self) -> None:
        """Do nothing: Lightning's method deletes the file of a resumed run."""

    def save(self) -> None:
        names = sorted(set().union(*self.metrics))
        rows = (map(row.get, names) for row in self.metrics)
        write_atomically(Path(self.metrics_file_path), csv_text([names, *rows]))


class Table(CSVLogger):
    """Writes metrics.csv, and the settings to hparams.yaml. count: the number of rows at the checkpoint of the run."""

    def __init__(self, save_dir: Path, count: int = 0, **settings: Any) -> None:
        super().__init__(save_dir, name="", version="", **settings)
        self._experiment = Rows(self.log_dir)
        self.rows = self._experiment.metrics
        self.rows += read_rows(RunFolder(save_dir).table)[:count]


def service_entry(run: RunFolder, config: dict) -> dict[str, str]:
    """The id, name and group (the sweep, or the dataset of a single run) under which a service has the run.

    They are chosen once and stored in the run's folder, since the folder may be moved.
    """
    stored = read_flat(run.entry)
    if re.fullmatch("[0-9a-f]{16}", str(stored.get("id"))) and stored.keys() == {"id", "name", "group"}:
        return stored
    entry = {"name": f"{config['choices']['model']} {run.path.name}", "group": config["choices"]["dataset"]}
    if run.job.is_file():
        sweep = SweepFolder(run.path.absolute().parent)
        group = read_flat(sweep.manifest).get("name", sweep.path.name)
        entry = {"name": run.path.name, "group": str(group)}
    entry = {"id": secrets.token_hex(8), **entry}
    write_json(run.entry, entry)
    return entry


def build_loggers(folder: Path, config: dict, state: dict | None) -> list[Logger]:
    """The loggers of the configuration: first those that write to the run's folder, then the services.

    config: also logged as hyperparameters. state: what `Resume` stored in the checkpoint of a resumed run, else None.
    Raises UserError if a service does not answer, since it is the user who decides to do without it.
    """
    run, settings = RunFolder(folder), {"save_dir": folder, "count": (state or {}).get("rows", 0)}
    arguments = {CURVES: {"save_dir": folder}, TABLE: settings}
    nodes = {name: node for name, node in config["logger"].items() if node and node.get("_target_")}
    services = {name: node for name, node in nodes.items() if node["_target_"] in SERVICES}
    loggers = [
        build_a(Logger, f"logger.{name}", node, **arguments.get(node["_target_"], {}))
        for name, node in nodes.items()
        if name not in services
    ]
    table = next((logger for logger in loggers if isinstance(logger, Table)), None)
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
            service = build(node, save_dir=folder, entry=service_entry(run, config), begun=state is not None)
            service.rows = table.rows
            service.log_hyperparams(parameters)
        except (UserError, OSError) as error:
            raise UserError(
                f"logger={name} cannot start ({message_of(error, 300)}): mend that, or leave it out with "
                f"'~logger.{name}'"
            ) from error
        service.log_metrics()
        loggers.append(service)
    return loggers


def flush_curves(trainer: Trainer, run: RunFolder, lengths: dict[str, int]) -> dict:
    """Flush the curves to the disk; return the lengths of TensorBoard's files and the number of rows of the table.

    lengths: see `RunFolder.sync_curves`.
    """
    now: dict[str, int] = {}
    if trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.save()
        now = run.sync_curves(lengths)
    rows = next((len(logger.rows) for logger in trainer.loggers if isinstance(logger, Table)), 0)
    return {"lengths": now, "rows": rows}
