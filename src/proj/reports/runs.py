"""Reads the folders of runs, finished or not, without importing torch."""

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from proj.config.monitors import mode_of
from proj.config.settings.table import SETTINGS, policy
from proj.config.stored_run import listed_since
from proj.errors import UserError, file_fault
from proj.reports.curves import read_scalars, read_table
from proj.system.folders import nearest_to
from proj.system.names import readable
from proj.system.run_folder import RunFolder, read_flat

SEEDS = [key for key, setting in SETTINGS.items() if setting.report == "seed"]
AVERAGED = ("never", "seed", "fold")  # kinds of settings in which the runs of one row may differ
# The settings that determine which examples are in the fold of a given number.
DEALT_BY = [f"dataset.{key}" for key in ("folds", "split_seed", "group", "min_examples")]
INFINITE = (math.inf, -math.inf)


@dataclass
class Run:
    """The content of a run's folder. config, metrics, and record (run.json) are flat dictionaries.

    curves: tag -> [(epochs done, value), …]. repeats: the folder of a later run with the same settings, data and seed,
    which counts instead; `compare` sets it. damaged: files that could not be read, or belong to another run.
    typed: the settings that the run's command named.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    curves: dict[str, list[tuple[float, float]]]
    status: str
    record: dict[str, Any] = field(default_factory=dict)
    repeats: Path | None = None
    damaged: list[Path] = field(default_factory=list)
    typed: frozenset[str] = frozenset()

    @property
    def checkpoint(self) -> Path | None:
        """The best checkpoint, even if the folder has been moved; None if the file is missing."""
        path = RunFolder(self.folder).checkpoint_of(self.metrics)
        return path if os.path.isfile(path) else None  # Path.is_file would raise for some names

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration without seed, fold, and settings that change no result; "data" is the data's checksum, or
        None if it is not known, until `compare` infers it from other runs; "code" names the user's own Python files."""
        settings = {key: value for key, value in self.config.items() if policy(key).report not in AVERAGED}
        if (processes := self.processes) > 1:  # each process takes its own batch, so their number changes results
            settings["trainer.devices"] = processes
        code = {"code": self.record["code"]} if "code" in self.record else {}
        return settings and settings | {"data": self.record.get("data")} | code

    @property
    def processes(self) -> int:
        """The number of processes on each node, as far as the configuration says it."""
        devices = self.config.get("trainer.devices")
        return max(1, devices if isinstance(devices, int) else len(re.findall(r"\d+", str(devices))))

    @property
    def seed(self) -> Any:
        """The run's seed; if parts of the run were given other seeds, all of them as text."""
        seeds = [self.config[key] for key in SEEDS if key in self.config]
        return self.config.get("seed") if len(set(map(str, seeds))) < 2 else ", ".join(map(str, seeds))

    @property
    def fold(self) -> int | None:
        return self.config.get("dataset.fold") if self.folds else None

    @property
    def folds(self) -> int:
        """How many folds the data is dealt into; 0 for none."""
        folds = self.config.get("dataset.folds")
        return folds if isinstance(folds, int) and folds > 1 else 0

    @property
    def repetition(self) -> Any:
        """What distinguishes this run within its row: the seed, with the fold if it has one; or else its folder."""
        if self.seed is None:
            return self.folder
        return self.seed if self.fold is None else f"{self.seed}, fold {self.fold}"

    @property
    def pair(self) -> Any:
        """The same for two runs of different rows that form a pair: the seed, and the settings from which the examples
        of a fold follow, since fold 0 of 3 has other examples than fold 0 of 5."""
        return self.repetition if self.fold is None else (self.repetition, *map(self.config.get, DEALT_BY))

    def by_epoch(self, metric: str) -> list[tuple[float, float]]:
        """[(epochs done, value), …] as a monitor sees them: for a metric of the training, the mean over each epoch."""
        points = [(x, y) for x, y in self.curves.get(metric, []) if not math.isnan(y)]
        if not metric.startswith("train/"):
            return points
        epochs: dict[int, list[tuple[float, float]]] = {}
        start = 0.0
        for x, y in points:  # each point is the mean over the steps since the point before
            epochs.setdefault(math.ceil(x - 1e-6), []).append((x - start, y))
            start = x
        means = []
        for epoch, parts in epochs.items():
            size = math.fsum(size for size, _ in parts) or 1
            means.append((epoch, math.fsum(size * y for size, y in parts) / size))
        return means

    def value(self, metric: str, mode: str) -> float | None:
        """The metric at the best checkpoint, or for a run that is not finished, at its best epoch so far; None if there
        is no such number. The epoch is the best by the run's own monitor. mode: used if the run does not say its own.
        """
        if metric in self.metrics:
            value = self.metrics[metric]
            return value if isinstance(value, int | float) else None
        monitor, mode = str(self.config.get("monitor") or metric), self.config.get("mode", mode)
        choose = max if mode == "max" else min
        epoch, best = choose(self.by_epoch(monitor), key=lambda point: point[1], default=(None, None))
        return best if metric == monitor else dict(self.by_epoch(metric)).get(epoch)


def read_yaml(file: Path) -> dict[str, Any]:
    """A configuration as a flat dictionary; {} if the file is missing or damaged."""
    config = read_flat(file)
    odd = {key: str(value) for key, value in config.items() if value in INFINITE or value != value}
    # Settings that conf/ did not list yet when the run began had their default values.
    listed = listed_since() if "trainer._target_" in config else {}
    return listed | config | odd  # NaN and infinity as text: NaN does not equal itself, and JSON has neither


def read_first_config(run: RunFolder) -> dict[str, Any]:
    """The configuration of a run that stopped before it wrote its own: from its frozen job, or from Hydra's files.
    References in it, such as ${seed}, are resolved, but not those within a resolved value."""
    config = read_yaml(run.job) or read_yaml(run.composed) | read_yaml(run.hydra)
    hydra = {key: config.pop(key) for key in list(config) if key.startswith("hydra.")}
    for key, value in config.items():
        if str(value).startswith("${mode_of:"):
            monitor = str(config.get(key.removesuffix("mode") + "monitor"))  # resolved already
            config[key] = mode_of(monitor, "max" if key == "mode" else config.get("mode", "max"))
        elif reference := re.fullmatch(r"\$\{(hydra:)?(.+)\}", str(value)):
            config[key] = hydra.get(f"hydra.{reference[2]}") if reference[1] else config.get(reference[2])
    return config


def read_run(folder: Path) -> Run:
    run = RunFolder(folder)
    own, metrics, record, curves = read_yaml(run.config), run.figures(), read_flat(run.record), {}
    config = own or read_first_config(run)
    read = {run.config: own, run.metrics: metrics, run.record: record}
    damaged = [file for file, content in read.items() if not content and file.is_file()]
    for file in run.curves():
        with suppress(OSError):
            for tag, points in read_scalars(file).items():
                curves.setdefault(tag, []).extend(points)
    curves = curves or read_table(run.table)
    epoch = record.get("steps_per_epoch")
    epoch = epoch if isinstance(epoch, int) and epoch > 0 else guess_epoch(config, curves)
    by_epochs = {}
    for tag, points in curves.items():
        if not tag.endswith("_per_second"):
            by_epochs[tag] = [(step / epoch, value) for step, value in points if step]  # 0: Lightning's sanity check
    how, _ = run.status()
    return Run(folder, config, metrics, by_epochs, how, record, damaged=damaged, typed=read_typed(run))


def read_typed(run: RunFolder) -> frozenset[str]:
    """The settings that a run's command named, from its frozen job or from Hydra's files. These are long, and a report
    reads hundreds of them, so only the list of words is looked for in their text."""
    for file in (run.job, run.hydra):
        with suppress(OSError):
            text = file.read_text("utf-8", errors="replace")
            if words := re.search(r"^( *)task:\n((?:\1(?:- |  ).*\n)*)", text, re.MULTILINE):
                return frozenset(re.findall(r"^ *- ['\"]?\+*([\w.]+)=", words[2], re.MULTILINE))
    return frozenset()


def guess_epoch(config: dict[str, Any], curves: dict[str, list[tuple[int, float]]]) -> float:
    """The steps of an epoch, inferred from the first validation if run.json does not say it."""
    ends = [next((step for step, _ in points if step), 0) for tag, points in curves.items() if tag.startswith("val/")]
    every, share = config.get("trainer.check_val_every_n_epoch"), config.get("trainer.val_check_interval")
    epochs = every if isinstance(every, int) and every > 0 else 1
    epochs *= share if isinstance(share, float) and 0 < share < 1 else 1
    first = min(filter(None, ends), default=0) / epochs
    return first or max((points[-1][0] for points in curves.values()), default=0) or 1


def say_left_out(error: OSError) -> None:
    print(readable(f"left out: {file_fault(error) or error}"))


def find_runs(folders: list[Path]) -> list[Run]:
    """All runs in and below the folders, each once. Raises UserError if a folder is missing or holds no run."""
    found: dict[Path, Run] = {}
    for folder in folders:
        if not folder.is_dir():
            if folder.is_file():
                raise UserError(f"{folder} is a file: give the folder of its run, {folder.absolute().parent}")
            raise UserError(f"there is no folder {folder}: give folders of runs or sweeps.{nearest_to(str(folder))}")
        runs = []
        for path, below, _ in os.walk(folder, onerror=say_left_out):
            if RunFolder(path).holds_a_run():
                runs.append(read_run(Path(path)))
            below[:] = sorted(name for name in below if not name.startswith("."))
        runs = [run for run in runs if "choices.dataset" in run.config or not run.config]  # else another program's
        if not runs:
            raise UserError(f"{folder} holds no run: give folders of runs or of sweeps, such as outputs.")
        found |= {run.folder.resolve(): run for run in runs}
    return list(found.values())
