"""A run that was killed goes on as if it had never stopped, to the last bit where the device computes so.

Lightning 2.6 alone does not: a resumed epoch shows some examples twice and others never, its metrics forget what came
before, and dropout draws other numbers. Here a checkpoint is taken at one quiescent point only, the start of a batch,
when all before it is done and logged; and everything random in a batch depends on (seed, epoch, batch) alone, so that
no generator's state has to be kept. TensorBoard's files are cut back to their length at the checkpoint.
"""

import math
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import SpikeDetection, Timer
from lightning.pytorch.loops.loop import _Loop
from lightning.pytorch.utilities import rank_zero_only

from proj.checkpoint.file import DamagedCheckpoint, RefusedCheckpoint, load_checkpoint, refuse_names
from proj.data.batches import counter_seed
from proj.errors import UserError
from proj.system.platform import STOP_SIGNALS, replace, sync_folder
from proj.system.run_folder import RunFolder
from proj.system.slurm import requeue
from proj.training.attributes import Attributes, metric_states, restore_metrics
from proj.training.changes import compare_environments, environment
from proj.training.divergence import Divergence

BATCH, VALIDATION = 1, 2  # the two uses of `counter_seed` here, apart from each other and from the loader's


def newest_checkpoint(folder: Path) -> tuple[Path, dict] | None:
    """The newest checkpoint that a run can go on from, and its contents; one before it that cannot be is set aside.

    Raises UserError if none can be.
    """
    aside: dict[Path, UserError] = {}
    found = None
    for path in (RunFolder(folder).last, RunFolder(folder).previous):
        try:
            if path.is_file():
                found = path, load_to_resume(path)
                break
        except (DamagedCheckpoint, RefusedCheckpoint) as error:
            aside[path] = error
    for path, error in aside.items():
        if found or isinstance(error, DamagedCheckpoint):
            kind = "damaged" if isinstance(error, DamagedCheckpoint) else "refused"
            away = path.with_name(f"{path.name}.{kind}")
            if rank_zero_only.rank == 0:  # another process reads the same file
                replace(path, away)
                print(f"{error} It is now {away.name}; going back to the checkpoint before.")
    if aside and not found:
        refused = [error for error in aside.values() if isinstance(error, RefusedCheckpoint)]
        names = ", ".join(f"{path.name}.damaged" for path in aside)
        raise (
            refused[0]
            if refused
            else UserError(f"every checkpoint in {folder} is damaged ({names}): start the run anew.")
        )
    return found


def load_to_resume(path: Path) -> dict:
    """`load_checkpoint`. Raises RefusedCheckpoint for one from which no run can go on."""
    checkpoint = load_checkpoint(path)
    if "resume" not in checkpoint:
        raise RefusedCheckpoint(
            f"{path} does not say where the run was: another checkpoint callback has written it, or it is a copy of "
            "best.ckpt. It can be evaluated, and no run can go on from it: start the run anew in another folder."
        )
    return checkpoint


def moved(path: str | None, old: str, here: str) -> str:
    """Where a callback's file is now that was in its folder `old`: always below the folder `here`, since Lightning
    deletes the files that a checkpoint names once there are better ones."""
    if not path:
        return ""
    whole = Path(os.path.abspath(path))
    return str(Path(here, whole.relative_to(old) if whole.is_relative_to(old) else whole.name))


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)  # 2 µs; torch.manual_seed takes 357
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def stopped_early(trainer: Trainer) -> bool:
    """Whether a callback has ended the training for good, and no limit that can be raised, such as max_steps."""
    if not trainer.should_stop:
        return False
    timers = [callback.time_remaining() for callback in trainer.callbacks if isinstance(callback, Timer)]
    limit = trainer.global_step == trainer.max_steps or any(left is not None and left <= 0 for left in timers)
    return not limit or any(getattr(callback, "stopped_epoch", 0) for callback in trainer.callbacks)


class Resume(Callback):
    """Saves `last.ckpt` every `seconds` at a quiescent point, and when a signal asks to stop. First of the callbacks.

    described: what every checkpoint says about itself. stop_at_nan: see `Divergence`.
    state: `load_checkpoint(…)["resume"]` of the run to continue.
    Several processes decide together, once every `trainer.log_every_n_steps` steps, whether to save or to stop.
    """

    def __init__(self, folder: Path, seed: int, seconds: float, described: dict, stop_at_nan: bool, state: dict | None):
        self.folder, self.seed, self.every, self.described = folder, seed, seconds, described
        self.state = state  # until it is applied, at the first batch
        self.saving: dict | None = None  # what goes into the checkpoint that is being written
        self.signal: int | None = None
        self.start: float | None = None
        self.saved = time.monotonic()
        self.seconds_before = state["seconds"] if state else 0.0
        self.divergence = Divergence(folder, stop_at_nan)
        self.lengths = state["lengths"] if state else {}  # of TensorBoard's files, also those of an older version
        self.attributes = Attributes()

    @property
    def seconds(self) -> float:
        """Time spent in training and validation, also before the run was stopped."""
        return self.seconds_before + (time.monotonic() - self.start if self.start else 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = self.saved = time.monotonic()
        self._take_signals(trainer)
        self.environment = environment(trainer)
        if self.state:
            # With max_steps, Lightning 2.6 takes every epoch for one that was broken off, and leaves the next one out.
            epochs = trainer.fit_loop.epoch_progress.current
            _Loop.restarting.fset(trainer.fit_loop, epochs.ready != epochs.processed)
            trainer.train_dataloader.start = self.state["batch"]
            compare_environments(self.state["environment"], self.environment, self.folder)
            if "attributes" in self.state:  # an older version kept none
                self.attributes.changed = self.state["attributes"][trainer.global_rank]
        steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        self.facts = {"data": self.described["data"], "steps_per_epoch": steps, "saved": self.state is not None}
        if trainer.is_global_zero:
            RunFolder(self.folder).write_facts(**self.facts)
            RunFolder(self.folder).set_metrics_aside()  # those of a shorter training

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.attributes not in trainer.callbacks:
            trainer.callbacks.append(self.attributes)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        refuse_names(trainer, self.folder)  # once the callbacks have found their folders

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.attributes.bring_back(trainer)  # before the other callbacks act on them

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        due, number = self._asked(trainer, batch_idx)
        if self.state:
            self._restore(trainer, pl_module)
        elif due and trainer.global_step:  # before the first step there is nothing to keep
            self._save(trainer, pl_module, batch_idx)
        self._leave(trainer, number)
        seed_all(counter_seed(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank, BATCH))
        self.divergence.step_begins(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs, batch, batch_idx: int) -> None:
        self.divergence.step_ends(trainer, outputs, batch_idx)
        if trainer.global_step == trainer.max_steps:
            trainer.should_stop = True  # so that Lightning validates where the steps end within an epoch

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            self.divergence.look(trainer, pl_module)  # the best checkpoint may follow
        seed_all(counter_seed(self.seed, trainer.current_epoch, VALIDATION))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _, number = self._asked(trainer, batch_idx=0)
        self._save(trainer, pl_module, batch_idx=None)
        self._leave(trainer, number)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._take_signals(trainer)  # Lightning gave them back at the end of the training

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx, *rest) -> None:
        self._leave(trainer, self._asked(trainer, batch_idx)[1])

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._leave(trainer, self._asked(trainer, batch_idx=0)[1])

    def _take_signals(self, trainer: Trainer) -> None:
        self.alone = trainer.world_size == 1
        # In place of Lightning's and submitit's. Slurm sends TERM before preemption, and before the end of a job's time
        # what `sbatch --signal` asks for: USR1 as a rule, USR2 with submitit.
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame) -> None:
        if self.signal == number and time.monotonic() > self.asked + 1:  # Slurm's come twice, and others after them
            os._exit(128 + number)  # asked a second time: at once
        if not self.signal:
            self.signal, self.asked = number, time.monotonic()

    def _leave(self, trainer: Trainer, number: int) -> None:
        if number:
            if trainer.is_global_zero:
                requeue(number)
            # Lightning kills the first process where another ends with an error.
            raise SystemExit(128 + number if trainer.is_global_zero else 0)

    def _asked(self, trainer: Trainer, batch_idx: int) -> tuple[bool, int]:
        """Whether to save, and the signal by which to leave or 0: the same in all processes."""
        window = trainer.accumulate_grad_batches * (1 if self.alone else trainer.log_every_n_steps)
        if batch_idx % window:
            return False, 0
        number = self.signal or 0
        due = bool(number) or time.monotonic() - self.saved > self.every
        if not self.alone:
            both = torch.tensor([float(due), number], device=trainer.strategy.root_device)
            due, number = trainer.strategy.reduce(both, reduce_op="max").int().tolist()
        return bool(due), number

    def _save(self, trainer: Trainer, pl_module: LightningModule, batch_idx: int | None) -> None:
        self.divergence.look(trainer, pl_module)
        carried = {"metrics": metric_states(pl_module), "attributes": self.attributes.changes(trainer)}
        parts = [carried] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(parts, carried)
        run, lengths = RunFolder(self.folder), {}
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()
            for path in run.own_curves(self.lengths):
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
                lengths[path.name] = path.stat().st_size
        finished = batch_idx is None
        early = finished and stopped_early(trainer)
        if finished:
            done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
            batch_idx = 0 if early or done == trainer.num_training_batches else done
        self.saving = {
            "batch": batch_idx,
            "finished": finished,
            "stopped_early": early,
            "lengths": lengths,
            **{name: [part[name] for part in parts] for name in carried},  # of each process
            "callback_metrics": {name: value.clone() for name, value in trainer.callback_metrics.items()},
            "stepped": trainer.fit_loop.epoch_loop._batches_that_stepped,  # the curves' next step
            "seconds": self.seconds,
            "environment": self.environment,
        }
        if trainer.is_global_zero and run.last.is_file():
            replace(run.last, run.previous)
            sync_folder(self.folder)
        try:
            trainer.save_checkpoint(run.last)
        except UserError:  # it could not be read: the one before stays the last
            if trainer.is_global_zero and run.previous.is_file():
                replace(run.previous, run.last)
            raise
        finally:
            self.saving = None
        if trainer.is_global_zero and not self.facts["saved"]:
            self.facts["saved"] = True
            run.write_facts(**self.facts)
        self.saved = time.monotonic()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict) -> None:
        checkpoint["proj"] = self.described
        if self.saving is None:
            return  # the best checkpoint, which is no place to go on from
        checkpoint["resume"] = self.saving
        if self.saving["finished"]:
            if self.saving["batch"]:  # the limit came within an epoch, which Lightning has counted as done
                checkpoint["epoch"] -= 1
                for counts in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                    counts.update({name: counts[name] - 1 for name in ("processed", "completed")})
            return
        # Lightning has counted this batch as begun: count it as not begun. The epoch has begun, also at its first
        # batch: its `on_train_epoch_start` has been called, and is not called again.
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            counts.update(dict.fromkeys(("ready", "started", "processed"), counts["completed"]))
        progress["is_last_batch"] = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict) -> None:
        for callback in trainer.callbacks:
            if isinstance(callback, SpikeDetection):  # Lightning 2.6's cannot read what it has saved
                checkpoint["callbacks"].pop(callback.state_key, None)
        for callback in trainer.checkpoint_callbacks:
            state, here = checkpoint["callbacks"].get(callback.state_key, {}), callback.dirpath
            if "best_k_models" not in state:  # it is new in this run, or of another kind
                continue
            callback.current_score = state["current_score"]  # Lightning 2.6 saves the score and does not read it
            old = str(state["dirpath"])  # the folder may have moved
            for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[key] = moved(state.get(key), old, here)
            state["best_k_models"] = {moved(path, old, here): score for path, score in state["best_k_models"].items()}
            state["dirpath"] = here

    def _restore(self, trainer: Trainer, pl_module: LightningModule) -> None:
        state, self.state = self.state, None
        self.attributes.bring_back(trainer)  # an epoch that goes on has no `on_train_epoch_start`
        # Else Lightning leaves out ReduceLROnPlateau at the end of this epoch; its own setter does not, with max_steps.
        _Loop.restarting.fset(trainer.fit_loop, False)
        trainer.fit_loop.epoch_loop._batches_that_stepped = state["stepped"]
        trainer.callback_metrics.update(state["callback_metrics"])
        restore_metrics(pl_module, state["metrics"][trainer.global_rank])
