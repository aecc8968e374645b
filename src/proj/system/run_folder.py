"""The folders of runs and sweeps: the names of their files, what these say of a run's state, and what may be deleted.

No other module spells the name of such a file. All is read without torch.
"""

import json
import os
import zlib
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from proj.system.files import csv_of, remove_unfinished, write_atomically
from proj.system.locks import is_locked

CURVES = ".proj"  # ends the names of TensorBoard's files that a run writes; other programs may write beside them
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's takes a tenth of the time


def parse_yaml(content: bytes) -> Any:
    try:
        return yaml.load(content, Loader)
    except yaml.YAMLError:  # libyaml refuses names of files that are no UTF-8
        return yaml.load(content, yaml.SafeLoader)


def flat(node: dict, joint: str, prefix: str = "") -> dict[str, Any]:
    """Nested keys joined into one; what is no number or text becomes text, so that all values compare."""
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            leaves |= flat(value, joint, f"{prefix}{key}{joint}")
        else:
            plain = value is None or isinstance(value, str | int | float)
            leaves[f"{prefix}{key}"] = value if plain else json.dumps(value, default=str)
    return leaves


def read_flat(file: Path, parse=json.loads, joint: str = "/") -> dict[str, Any]:
    """The flat content of a file; empty where it is missing or damaged, so that no run stops a report of many."""
    try:
        content = file.read_bytes()
        content = parse(content) if content.endswith(b"\n") else None
        return flat(content, joint) if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}


def write_json(file: Path, content: dict, indent: int | None = None) -> None:
    write_atomically(file, json.dumps(content, indent=indent) + "\n")


class SweepFolder:
    """The folder of a sweep or search; each job of it has a run's folder within."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = self.path / "sweep.yaml"  # the command and what it ran with; without it, no sweep has begun
        self.conf = self.path / "conf"  # a copy of conf/, from which jobs are composed later
        self.uncommitted = self.path / "git.diff"  # the changes in the checkout when the sweep began
        self.study = self.path / "study.log"  # Optuna's, of a search
        self.importance = self.path / "importance.json"  # of a search: how much each of its settings explains
        self.asking = self.path / ".asking"  # the lock under which the workers of a search take a trial, one at a time
        self.claims = self.path / ".trials"  # a folder for each trial, which the worker holds that trains it
        self.gpus = self.path / ".gpu"  # begins the names of the locks by which jobs share the GPUs

    def data_of(self, settings: str) -> Path:
        """Holds the checksum of the examples that jobs with these settings of the data have."""
        return self.path / f".data-{zlib.crc32(settings.encode()):08x}"

    def jobs_frozen(self) -> list["RunFolder"]:
        """Of every folder within that holds a job.yaml, also of copies that somebody has made."""
        return [RunFolder(file.parent) for file in self.path.glob("*/job.yaml")]


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.best = self.path / "best.ckpt"  # of the best validation; it is tested at the end
        self.last = self.path / "last.ckpt"  # the run goes on from here
        self.previous = self.path / "previous.ckpt"  # the one before `last`, in case that is damaged
        self.config = self.path / "config.yaml"  # every setting, as the run has used it
        self.record = self.path / "run.json"  # see `write_record`
        self.metrics = self.path / "metrics.json"  # the figures; a run that has them is finished
        self.table = self.path / "metrics.csv"  # the curves as a table, of logger=csv and of services
        self.columns = self.path / "columns.csv"  # of a table, what each of its columns was taken for
        self.entry = self.path / "loggers.json"  # what MLflow and Weights & Biases know the run by
        self.failure = self.path / "status.json"  # why a run has failed or was pruned
        self.fold = self.path / "fold.csv"  # of a run on a fold: what it says of those examples, for the report
        self.log = self.path / "train.log"  # what Python's loggers say; of a sweep's job, all that it prints
        self.job = self.path / "job.yaml"  # of a sweep's job: the configuration that was frozen for it
        self.notes = self.path / ".hydra"  # what Hydra composed, before the run wrote its own config.yaml:
        self.composed, self.hydra = self.notes / "config.yaml", self.notes / "hydra.yaml"

    # What the files say.

    def checkpoint_of(self, metrics: dict) -> Path:
        """The checkpoint that the figures of a run are of, also where the folder has moved; `best` of no figures."""
        stored = metrics.get("checkpoint")
        # PureWindowsPath takes both / and \ for separators.
        return self.path / PureWindowsPath(str(stored)).name if stored else self.best

    def holds_a_run(self) -> bool:
        """Whether this is the folder of a run, which may wait, train, have stopped or be finished."""
        return self.config.is_file() or self.job.is_file() or self.notes.is_dir()

    def status(self) -> tuple[str, str]:
        """One of finished, running, failed, pruned, interrupted, started and queued; and why, if failed or pruned."""
        if self.figures():
            return "finished", ""
        if is_locked(self.path):
            return "running", ""
        if said := read_flat(self.failure):
            return str(said.get("status")), str(said.get("reason"))
        if self.last.is_file() or self.previous.is_file():
            return "interrupted", ""
        return "started" if self.config.is_file() or self.notes.is_dir() else "queued", ""

    def figures(self) -> dict[str, Any]:
        """What metrics.json says, flat. Empty of a run that is not finished, where the file is damaged, and where it is
        another run's: it names another folder than this one, and than config.yaml, which is moved and copied with it.
        """
        metrics = read_flat(self.metrics)
        name = PureWindowsPath(str(metrics.get("folder", ""))).name
        if name == self.path.absolute().name:
            return metrics
        if not self.config.is_file():
            return {}
        kept = read_flat(self.config, parse_yaml, ".").get("output_dir")
        is_own = name in ("", "..") or not kept or PureWindowsPath(str(kept)).name == name  # as far as it is said
        return metrics if is_own else {}

    def read_metrics(self) -> dict | None:
        """`figures` as they were written; None where these are empty."""
        return json.loads(self.metrics.read_bytes()) if self.figures() else None

    def curves(self) -> list[Path]:
        """TensorBoard's files, whoever wrote them."""
        return sorted(self.path.glob("events.out.tfevents.*"))

    def own_curves(self, known: dict[str, int]) -> list[Path]:
        """TensorBoard's files that the run wrote: by their names, or `known` from a checkpoint of an older version."""
        return [file for file in self.curves() if file.name.endswith(CURVES) or file.name in known]

    def is_resumed_from(self, file: Path) -> bool:
        """Whether a file is `last` or `previous`, which `Resume` alone writes and deletes."""
        return file.name in (self.last.name, self.previous.name) and file.parent.resolve() == self.path.resolve()

    # What a run writes.

    def write_metrics(self, metrics: dict) -> None:
        write_json(self.metrics, metrics, indent=2)

    def write_failure(self, status: str, reason: str) -> None:
        write_json(self.failure, {"status": status, "reason": reason})

    def write_columns(self, rows: list[dict[str, str]]) -> None:
        write_atomically(self.columns, csv_of(rows))

    def write_record(self, **record) -> None:
        """What a report and a later start need to know of a run that may never get as far as its metrics.json.

        data: the checksum of all examples. examples: that of which ones each part has. steps_per_epoch: of the
        optimizer. saved: whether there was a last.ckpt.
        """
        write_json(self.record, record)

    # What is taken away, and when.

    def set_metrics_aside(self) -> None:
        """Before a finished run is trained on: its figures stay in metrics_10_epochs.json, and it is unfinished."""
        if metrics := read_flat(self.metrics):  # else there is none, or none that can be read
            self.metrics.replace(self.path / f"metrics_{metrics.get('epochs')}_epochs.json")

    def remove_unfinished_checkpoints(self) -> None:
        """Those that a killed process has left half written. The caller holds the folder's lock."""
        remove_unfinished(self.path, "*.ckpt")

    def sync_curves(self, known: dict[str, int]) -> dict[str, int]:
        """Have TensorBoard's files on the disk; return their lengths in bytes. known: see `own_curves`."""
        lengths = {}
        for path in self.own_curves(known):
            with open(path, "rb") as file:
                os.fsync(file.fileno())
            lengths[path.name] = path.stat().st_size
        return lengths

    def rewind_curves(self, lengths: dict[str, int]) -> None:
        """Cut TensorBoard's files back to the bytes that they had at the checkpoint from which the run goes on.

        Files that are newer than the checkpoint are deleted. To do it twice is the same as to do it once.
        """
        for file in self.own_curves(lengths):
            if file.name not in lengths:
                try:
                    file.unlink()
                except PermissionError:  # Windows, while TensorBoard has it open: an empty file shows nothing
                    os.truncate(file, 0)
            elif file.stat().st_size > lengths[file.name]:
                os.truncate(file, lengths[file.name])
