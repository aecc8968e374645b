"""What the folders of runs say, finished or not, read without torch: 300 runs in a second or two."""

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
from proj.system.run_folder import RunFolder, parse_yaml, read_flat

SEEDS = [key for key, setting in SETTINGS.items() if setting.report == "seed"]
AVERAGED = ("never", "seed", "fold")  # what two runs of a row may differ in
# What decides which examples the fold of a number has.
DEALT_BY = [f"dataset.{key}" for key in ("folds", "split_seed", "group", "min_examples")]
INFINITE = (math.inf, -math.inf)


@dataclass
class Run:
    """What a run's folder says. config, metrics, record (run.json): flat. curves: tag -> [(epochs done, value), …].

    repeats: the folder of the run that counts instead, with the same settings, data and seed (`compare` finds it).
    damaged: its files that could not be read, or are of another run.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    curves: dict[str, list[tuple[float, float]]]
    status: str
    record: dict[str, Any] = field(default_factory=dict)
    repeats: Path | None = None
    damaged: list[Path] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path | None:
        """The best one, also where the folder was moved."""
        path = RunFolder(self.folder).checkpoint_of(self.metrics)
        return path if os.path.isfile(path) else None  # this takes any name, also one that no file can have

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration, without seed, fold and what changes no result, and the data's checksum (None: unknown).
        `compare` fills in what other runs tell of it."""
        settings = {key: value for key, value in self.config.items() if policy(key).report not in AVERAGED}
        if (processes := self.processes) > 1:  # each has a batch of its own
            settings["trainer.devices"] = processes
        return settings and settings | {"data": self.record.get("data")}

    @property
    def processes(self) -> int:
        """For each node, as far as the configuration tells: which devices they are changes no result."""
        devices = self.config.get("trainer.devices")
        return max(1, devices if isinstance(devices, int) else len(re.findall(r"\d+", str(devices))))

    @property
    def seed(self) -> Any:
        """The run's, or as text all of its seeds, where a part of it was given another."""
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
        """What tells it from the other runs of its row: the seed, and the fold if it has one; or else its folder."""
        if self.seed is None:
            return self.folder
        return self.seed if self.fold is None else f"{self.seed}, fold {self.fold}"

    @property
    def pair(self) -> Any:
        """What two runs of different rows have in common that are a pair: the seed and, of folds, the examples of the
        fold, since fold 0 of 3 has others than fold 0 of 5."""
        return self.repetition if self.fold is None else (self.repetition, *map(self.config.get, DEALT_BY))

    def by_epoch(self, metric: str) -> list[tuple[float, float]]:
        """[(epochs done, value), …] as a monitor gets them: of the training, each epoch's mean."""
        points = [(x, y) for x, y in self.curves.get(metric, []) if not math.isnan(y)]
        if not metric.startswith("train/"):
            return points
        epochs: dict[int, list[tuple[float, float]]] = {}
        start = 0.0
        for x, y in points:  # a point is the mean over the steps since the one before
            epochs.setdefault(math.ceil(x - 1e-6), []).append((x - start, y))
            start = x
        means = []
        for epoch, parts in epochs.items():
            size = math.fsum(size for size, _ in parts) or 1
            means.append((epoch, math.fsum(size * y for size, y in parts) / size))
        return means

    def value(self, metric: str, mode: str) -> float | None:
        """Of the best checkpoint; of a run that is not finished, the best so far. None for what is no number.

        The best is chosen by the run's own monitor, and all figures are of the same epoch. mode: where it has none.
        """
        if metric in self.metrics:
            value = self.metrics[metric]
            return value if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63) else None
        monitor, mode = str(self.config.get("monitor") or metric), self.config.get("mode", mode)
        choose = max if mode == "max" else min
        epoch, best = choose(self.by_epoch(monitor), key=lambda point: point[1], default=(None, None))
        return best if metric == monitor else dict(self.by_epoch(metric)).get(epoch)


def read_yaml(file: Path) -> dict[str, Any]:
    """A configuration, flat; empty where the file is missing or damaged."""
    config = read_flat(file, parse_yaml, ".")
    odd = {key: str(value) for key, value in config.items() if value in INFINITE or value != value}
    # What conf/ did not list when the run began was at its default.
    listed = listed_since() if "trainer._target_" in config else {}
    return listed | config | odd  # text, since nan equals nothing and JSON has neither


def read_first_config(run: RunFolder) -> dict[str, Any]:
    """The configuration of a run that stopped before it wrote its own: as it was frozen for it, or as Hydra noted it.

    References in it, such as ${seed}, are looked up one level deep.
    """
    config = read_yaml(run.job) or read_yaml(run.composed) | read_yaml(run.hydra)
    hydra = {key: config.pop(key) for key in list(config) if key.startswith("hydra.")}
    for key, value in config.items():
        if str(value).startswith("${mode_of:"):
            monitor = str(config.get(key.removesuffix("mode") + "monitor"))  # it stands before its mode
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
    return Run(folder, config, metrics, by_epochs, how, record, damaged=damaged)


def guess_epoch(config: dict[str, Any], curves: dict[str, list[tuple[int, float]]]) -> float:
    """The steps of an epoch, where no run.json says it: the first validation tells."""
    ends = [next((step for step, _ in points if step), 0) for tag, points in curves.items() if tag.startswith("val/")]
    every, share = config.get("trainer.check_val_every_n_epoch"), config.get("trainer.val_check_interval")
    epochs = every if isinstance(every, int) and every > 0 else 1
    epochs *= share if isinstance(share, float) and 0 < share < 1 else 1
    first = min(filter(None, ends), default=0) / epochs
    return first or max((points[-1][0] for points in curves.values()), default=0) or 1


def find_runs(folders: list[Path]) -> list[Run]:
    """Every run in or below the folders, once. Raises UserError for a folder that is not there or holds none."""
    found: dict[Path, Run] = {}
    for folder in folders:
        if not folder.is_dir():
            if folder.is_file():
                raise UserError(f"{folder} is a file: give the folder of its run, {folder.parent}")
            raise UserError(f"there is no folder {folder}: give folders of runs or of sweeps, such as outputs.")
        runs = []
        for path, below, _ in os.walk(folder, onerror=lambda error: print(f"left out: {file_fault(error) or error}")):
            if RunFolder(path).holds_a_run():
                runs.append(read_run(Path(path)))
            below[:] = sorted(name for name in below if not name.startswith("."))
        runs = [run for run in runs if "choices.dataset" in run.config or not run.config]  # else another program's
        if not runs:
            raise UserError(f"{folder} holds no run: give folders of runs or of sweeps, such as outputs.")
        found |= {run.folder.resolve(): run for run in runs}
    return list(found.values())
