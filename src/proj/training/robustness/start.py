"""Finds where a run begins: from scratch, or from the checkpoint of a run that was stopped in the same folder."""

from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from proj.checkpoint.file import DamagedCheckpoint, RefusedCheckpoint, load_checkpoint
from proj.config.allowed_classes import resume_command
from proj.config.own_code import changed_since
from proj.config.stored_values import check_plain
from proj.data.facts import Facts
from proj.errors import UserError, message_of
from proj.system.platform import replace
from proj.system.ranks import rank, say
from proj.system.run_folder import RunFolder, flat, read_flat
from proj.training.robustness.changes import (
    differs,
    other_columns,
    refuse_changes,
    refuse_to_start_over,
    renamed,
)
from proj.training.robustness.run_end import is_done
from proj.wording import first_of, how_many

# What every checkpoint holds from which a run can go on, below "resume", and of which kind it is.
TYPES = {"batch": int, "finished": bool, "stopped_early": bool, "stepped": int, "seconds": float}
TYPES |= {"lengths": dict, "metrics": list, "callback_metrics": dict, "environment": dict}
OF_THE_MACHINE = {f"trainer.{name}" for name in ("precision", "accelerator", "devices", "strategy", "num_nodes")}


class Start:
    """The beginning of a run in `folder`: from scratch, or resumed from its newest checkpoint.

    path: the checkpoint for Lightning to load. state: what `Resume` stored in it. described: its `contents`.
    lengths: see `RunFolder.rewind_curves`. For a run from scratch all of these are None or empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path, self.checkpoint = newest_checkpoint(folder) or (None, {})
        self.state, self.described = self.checkpoint.get("resume"), self.checkpoint.get("proj")
        self.lengths: dict[str, int] = self.state["lengths"] if self.state else {}

    def precision(self, asked: str) -> str:
        """The precision. For "auto", a resumed run keeps the one it had, since this machine might choose another."""
        return self.described["config"]["trainer"]["precision"] if self.described and asked == "auto" else asked

    def epochs(self, asked: int | None) -> int | None:
        """The number of epochs. If a callback has stopped the training early, it is not continued."""
        return self.checkpoint["epoch"] if self.state and self.state["stopped_early"] else asked

    def refuse_fewer_epochs(self, asked: int | None) -> None:
        """Raises UserError if the run has already trained more epochs than are asked for."""
        done = self.checkpoint.get("epoch", 0)
        if self.state and not self.state["stopped_early"] and asked is not None and 0 <= asked < done:
            raise UserError(
                f"{self.folder} has trained {how_many(done, 'epoch')} already, more than trainer.max_epochs={asked}: "
                f"give trainer.max_epochs={done} or more."
            )

    def refuse_changes(self, config: dict) -> None:
        """Raises UserError if a run with this configuration cannot be started or resumed in this folder."""
        if self.described:
            refuse_changes(self.described["config"], config, self.folder)
        else:
            refuse_to_start_over(self.folder)

    def refuse_other_data(self, described: dict) -> None:
        """Raises UserError if the examples, their classes' names, or the columns of the table have changed.

        described: the `contents` for the checkpoints to come, or the data's `Facts` alone.
        """
        if not self.described:
            return
        before, now = self.described["data"], described["data"]
        what = f"checksum {before} in the run, {now} now" if before != now else ""
        if not what and self.described.get("columns"):
            what = other_columns(Facts.from_dict(self.described).to_dict()["columns"], described["columns"])
        if what:
            raise UserError(
                f"{self.folder} holds a run on other data ({what}): a file has changed. Name the folder that has the "
                "run's data with data_dir=…, or start a new run."
            )
        if others := renamed(self.described.get("class_names"), described["class_names"]):
            raise UserError(
                f"{self.folder} holds a run whose classes have other names ({others}): give them the names of the run "
                f"again, and type {resume_command(self.folder)}, or start a new run in another hydra.run.dir."
            )

    def refuse_data_changed_since(self, cfg: DictConfig, read_data: Callable) -> None:
        """Raises UserError if the data of a finished run has changed; says so if it cannot be opened. `cfg` has the
        settings with which it is read, and is left as it is."""
        cfg = cfg.copy()
        if "download" in cfg.dataset:
            cfg.dataset.download = False
        try:
            with redirect_stdout(None):  # what there is to say of the data was said when the run began
                data = read_data(cfg, self.described)
        except (UserError, OSError, RuntimeError) as error:
            say(f"Whether the run's data has changed is not known, since it cannot be opened: {message_of(error)}")
        else:
            self.refuse_other_data(data.facts.to_dict())

    def final_metrics(self, cfg: DictConfig, threshold: str, read_data: Callable) -> dict | None:
        """The metrics of a run that is finished, with a message that says so; None if there is something left to do.

        threshold: the setting as typed. read_data: the function of build.py. Raises UserError if the data has changed.
        """
        if self.state is None or not is_done(self.checkpoint, cfg.trainer):
            return None
        run = RunFolder(self.folder)
        metrics = run.read_metrics()
        code = ", ".join(changed_since(self.state["environment"], OmegaConf.to_container(cfg)))
        if not metrics and run.metrics.is_file():
            say(f"{run.metrics} is damaged or belongs to another run: this run is evaluated again.")
        has_all = metrics and threshold == (metrics["threshold"]["asked"] if "threshold" in metrics else "null")
        if cfg.test:
            has_all = has_all and "test/acc" in metrics and ("test/acc_tta" in metrics or not cfg.tta)
        if not has_all:
            if code:
                raise UserError(
                    f"{code} changed since {self.folder} was trained, and there is something left to measure: put back "
                    "what was there, or start a new run."
                )
            return None
        self.refuse_data_changed_since(cfg, read_data)
        early = self.state["stopped_early"]
        ended = f" It was stopped early, after epoch {metrics['epochs']}, and is not trained further." if early else ""
        before, now = read_flat(run.config), flat(OmegaConf.to_container(cfg.trainer), ".", "trainer.")
        changed = [
            key for key in now if key not in OF_THE_MACHINE and differs(key, before.get(key, now[key]), now[key])
        ]
        idle = f" {first_of([f'{key}={now[key]}' for key in changed], 3)} changed nothing in them." if changed else ""
        other = f" {code} changed since: start a new run for figures of the new code." if code else ""
        say(f"This run is finished; its figures are in {run.metrics}.{idle}{ended}{other}")
        return metrics


def newest_checkpoint(folder: Path) -> tuple[Path, dict] | None:
    """(The newest usable checkpoint, its contents), or None if there is no checkpoint at all.

    One that is damaged is renamed, and one that is refused only if the previous one can be used: else it is kept, since
    it may be the user's own copy, as all are in a folder where no run has begun. Raises UserError if neither is usable.
    """
    run, unusable = RunFolder(folder), dict[Path, UserError]()
    for path in filter(Path.is_file, (run.last, run.previous)):
        try:
            checkpoint = load_to_resume(path)
        except (DamagedCheckpoint, RefusedCheckpoint) as error:
            unusable[path] = error
            continue
        for newer, error in unusable.items():
            set_aside(newer, error, "; the previous checkpoint is used")
        return path, checkpoint
    if not unusable:
        return None
    if not run.config.is_file():  # no run has begun here: these files are the user's own
        raise next(iter(unusable.values()))
    refused = [error for error in unusable.values() if isinstance(error, RefusedCheckpoint)]
    for path, error in unusable.items():
        if error not in refused:
            set_aside(path, error)
    names = ", ".join(f"{path.name}.damaged" for path in unusable)
    raise next(iter(refused), UserError(f"every checkpoint in {folder} is damaged ({names}): start the run anew."))


def set_aside(path: Path, error: UserError, instead: str = "") -> None:
    """Rename a checkpoint that cannot be used, and say why. instead: the end of the sentence on what is used."""
    if rank():  # the first process does it for all
        return
    away = path.with_name(f"{path.name}.{'damaged' if isinstance(error, DamagedCheckpoint) else 'refused'}")
    replace(path, away)
    say(f"{error} It was renamed to {away.name}{instead}.")


def load_to_resume(path: Path) -> dict:
    """`load_checkpoint`. Raises RefusedCheckpoint for one from which no run can be resumed, DamagedCheckpoint for one
    that lacks something for that."""
    checkpoint = load_checkpoint(path)
    if "resume" not in checkpoint:
        raise RefusedCheckpoint(
            f"No run can resume from {path}: another checkpoint callback has written it, or it is a copy of best.ckpt. "
            "Start the run again in another folder; this checkpoint can only be evaluated."
        )
    state, described = checkpoint["resume"], checkpoint["proj"]
    try:
        check_plain(described.get("config"), path)
    except RecursionError as error:
        raise DamagedCheckpoint(f"{path} is damaged: it has settings within too many others.") from error
    measures = isinstance(described.get("measured", {}), dict) and isinstance(described.get("columns"), list | None)
    whole = isinstance(state, dict) and all(isinstance(state.get(name), kind) for name, kind in TYPES.items())
    if not (measures and whole and {"trainer", "scheduler"} <= described["config"].keys()):
        raise DamagedCheckpoint(f"{path} is damaged: it lacks something from which a run goes on.")
    return checkpoint
