"""The folders of runs and sweeps: the names of their files, the state of a run, and which files may be deleted.

No other module spells out these names, and nothing here needs torch.
"""

import json
import os
import zlib
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from proj.system.files import remove_unfinished, write_atomically
from proj.system.locks import is_locked

CURVES = ".proj"  # the names of a run's own TensorBoard files end so; other programs may write more into its folder
ALIASES = 4  # the most in a YAML file: 18 make 30 KB a thousand times as much; no file of a run or a sweep has any
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's loader takes a tenth of the time


def parse_yaml(content: bytes) -> Any:
    """The content of a YAML file. Raises ValueError or YAMLError if it is damaged."""
    try:
        try:
            return load_yaml(content, Loader)
        except yaml.YAMLError as error:  # libyaml refuses file names that are no UTF-8, which the other loader reads
            if "nesting depth" in str(error):
                raise
            return load_yaml(content, yaml.SafeLoader)
    except RecursionError as error:
        raise ValueError("lists or mappings within too many others") from error


def load_yaml(content: bytes, loader: type) -> Any:
    """`yaml.load`. Raises ValueError for so many aliases that a file of somebody else could grow tenfold."""
    events = yaml.parse(content, loader) if content.count(b"*") > ALIASES else []
    if sum(isinstance(event, yaml.AliasEvent) for event in events) > ALIASES:
        raise ValueError(f"more than {ALIASES} YAML aliases")
    return yaml.load(content, loader)


def flat(node: dict, joint: str, prefix: str = "") -> dict[str, Any]:
    """A nested mapping as a flat one, whose keys are joined by `joint`. A list becomes text, so that values compare, as
    does a whole number that is too large to compute with."""
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            leaves |= flat(value, joint, f"{prefix}{key}{joint}")
        else:
            plain = value is None or isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 2**63)
            leaves[f"{prefix}{key}"] = value if plain else json.dumps(value, default=str)
    return leaves


def read_flat(file: Path) -> dict[str, Any]:
    """`flat` of a YAML file, joined by points, or of a JSON file, joined by slashes; empty if the file is missing or
    damaged, so that one run cannot stop a report of many."""
    parse, joint = (parse_yaml, ".") if file.suffix == ".yaml" else (json.loads, "/")
    try:
        content = file.read_bytes() if file.is_file() else b""  # a pipe, or a link to a device, might never end
        content = parse(content) if content.endswith(b"\n") else None  # else the file is truncated
        return flat(content, joint) if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}


def write_json(file: Path, content: dict, indent: int | None = None) -> None:
    write_atomically(file, json.dumps(content, indent=indent) + "\n")


class SweepFolder:
    """The folder of a sweep or search, which contains a run's folder for each of its jobs."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = self.path / "sweep.yaml"  # the command, its jobs and versions; without it, no sweep has begun
        self.conf = self.path / "conf"  # a copy of conf/, from which jobs are composed later
        self.uncommitted = self.path / "git.diff"  # the uncommitted changes in the checkout when the sweep began
        self.study = self.path / "study.log"  # the journal of a search's Optuna study
        self.importance = self.path / "importance.json"  # of a search: the importance of each of its settings
        self.asking = self.path / ".asking"  # a lock file: the workers of a search take a trial one at a time
        self.claims = self.path / ".trials"  # a folder for each trial, locked by the worker that trains it
        self.gpus = self.path / ".gpu"  # the lock files by which jobs share the GPUs have names that begin so

    def data_of(self, settings: str) -> Path:
        """The file with the checksum of the examples, and the classes, of all jobs with these settings of the data."""
        return self.path / f".data-{zlib.crc32(settings.encode()):08x}"

    def jobs_frozen(self) -> list["RunFolder"]:
        """Every folder in it that has a job.yaml, including copies that the user has made of a job's folder."""
        return [RunFolder(file.parent) for file in self.path.glob("*/job.yaml")]


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.best = self.path / "best.ckpt"  # the checkpoint of the best validation, which is tested at the end
        self.last = self.path / "last.ckpt"  # the checkpoint from which the run goes on
        self.previous = self.path / "previous.ckpt"  # the one before `last`, in case `last` is damaged
        self.config = self.path / "config.yaml"  # every setting with the value that the run has used
        self.record = self.path / "run.json"  # see `write_record`
        self.metrics = self.path / "metrics.json"  # the final metrics; a run that has this file is finished
        self.table = self.path / "metrics.csv"  # the curves as a table, of logger=csv, mlflow and wandb
        self.columns = self.path / "columns.csv"  # if the data is a table: what each of its columns was taken for
        self.entry = self.path / "loggers.json"  # the run's identifiers in MLflow and Weights & Biases
        self.failure = self.path / "status.json"  # why the run has failed or was pruned
        self.fold = self.path / "fold.csv"  # of a run on a fold: the predictions for the fold's examples
        self.log = self.path / "train.log"  # the messages of Python's loggers; of a sweep's job, all that it prints
        self.job = self.path / "job.yaml"  # of a sweep's job: the configuration that was frozen for it
        self.notes = self.path / ".hydra"  # what Hydra composed, for a run that stopped before it wrote config.yaml
        self.composed, self.hydra = self.notes / "config.yaml", self.notes / "hydra.yaml"

    # What the files say.

    def checkpoint_of(self, metrics: dict) -> Path:
        """The checkpoint that was measured for `metrics`, even if the folder has moved; `best` if they name none."""
        stored = metrics.get("checkpoint")
        # PureWindowsPath takes both / and \ for separators.
        return self.path / PureWindowsPath(str(stored)).name if stored else self.best

    def holds_a_run(self) -> bool:
        """Whether this is the folder of a run, which may be waiting, training, stopped or finished."""
        return self.config.is_file() or self.job.is_file() or self.notes.is_dir()

    def status(self) -> tuple[str, str]:
        """(finished, running, failed, pruned, interrupted, started or queued; the reason, if failed or pruned)."""
        if self.figures():
            return "finished", ""
        if is_locked(self.path):
            return "running", ""
        if said := read_flat(self.failure):
            status = said.get("status")  # "failed" stands for what no version of this program has written
            return (status if status in ("pruned", "interrupted") else "failed"), str(said.get("reason"))
        if self.last.is_file() or self.previous.is_file():
            return "interrupted", ""
        return "started" if self.config.is_file() or self.notes.is_dir() else "queued", ""

    def figures(self) -> dict[str, Any]:
        """`flat` of metrics.json; empty if the run is not finished, or the file is damaged or another run's. The file
        names its run's folder: this one, or if this was renamed or copied, the one that config.yaml names too."""
        metrics = read_flat(self.metrics)
        name = PureWindowsPath(str(metrics.get("folder", ""))).name
        if name == self.path.absolute().name:
            return metrics
        if not self.config.is_file():
            return {}
        kept = read_flat(self.config).get("output_dir")
        is_own = name in ("", "..") or not kept or PureWindowsPath(str(kept)).name == name  # no name counts as its own
        return metrics if is_own else {}

    def read_metrics(self) -> dict | None:
        """The content of metrics.json as it was written; None where `figures` is empty."""
        return json.loads(self.metrics.read_bytes()) if self.figures() else None

    def curves(self) -> list[Path]:
        """The TensorBoard files in the folder, including those of other programs."""
        return sorted(file for file in self.path.glob("events.out.tfevents.*") if file.is_file())

    def own_curves(self, known: dict[str, int]) -> list[Path]:
        """The run's own TensorBoard files: those that end in CURVES, and of an older version those in `known`, which
        are the names and sizes that its checkpoint lists."""
        return [file for file in self.curves() if file.name.endswith(CURVES) or file.name in known]

    def is_resumed_from(self, file: Path) -> bool:
        """Whether `file` is `last` or `previous`, which only the callback `Resume` writes and deletes."""
        return file.name in (self.last.name, self.previous.name) and file.parent.resolve() == self.path.resolve()

    # What a run writes.

    def write_metrics(self, metrics: dict) -> None:
        write_json(self.metrics, metrics, indent=2)

    def write_failure(self, status: str, reason: str) -> None:
        write_json(self.failure, {"status": status, "reason": reason})

    def write_record(self, **record) -> None:
        """Write what a report and a later start need to know of a run, which may stop before it has a metrics.json.

        data: the checksum of all examples. examples: the checksum of which examples each split has.
        steps_per_epoch: of the optimizer. saved: whether there was a last.ckpt. code: the user's own, as checksums.
        """
        write_json(self.record, record)

    # What is taken away, and when.

    def set_metrics_aside(self) -> None:
        """Rename metrics.json to, say, metrics_10_epochs.json before a finished run is trained for more epochs."""
        if metrics := read_flat(self.metrics):  # else the file is missing or damaged
            self.metrics.replace(self.path / f"metrics_{metrics.get('epochs')}_epochs.json")

    def remove_unfinished_checkpoints(self) -> None:
        """Delete the temporary files of checkpoints that a killed process did not finish. Needs the folder's lock."""
        remove_unfinished(self.path, "*.ckpt")

    def sync_curves(self, known: dict[str, int]) -> dict[str, int]:
        """Flush the run's TensorBoard files to the disk; return their sizes in bytes. known: see `own_curves`."""
        lengths = {}
        for path in self.own_curves(known):
            with open(path, "rb") as file:
                os.fsync(file.fileno())
            lengths[path.name] = path.stat().st_size
        return lengths

    def rewind_curves(self, lengths: dict[str, int]) -> None:
        """Truncate the run's TensorBoard files to their sizes at a checkpoint, and delete newer ones.

        lengths: the sizes in bytes, from `sync_curves`. Doing this twice is the same as doing it once.
        """
        for file in self.own_curves(lengths):
            if file.name not in lengths:
                try:
                    file.unlink()
                except PermissionError:  # on Windows, while TensorBoard has it open: an empty file shows nothing
                    os.truncate(file, 0)
            elif file.stat().st_size > lengths[file.name]:
                os.truncate(file, lengths[file.name])
