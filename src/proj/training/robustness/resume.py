"""Saves last.ckpt and resumes from it: a killed run goes on as if never stopped, bit by bit if the device allows it.

Lightning 2.6 alone does not achieve this: a resumed epoch shows some examples twice and others never, its metrics
forget what came before, and dropout draws other numbers. Here a checkpoint is only saved at a quiescent point, the
start of a batch, when everything before it is done and logged. And all random numbers in a batch depend only on (seed,
epoch, batch), so no generator's state has to be saved. TensorBoard's files are cut to their length at the checkpoint.

`start.py` finds the checkpoint. `counters.py` and `attributes.py` save and restore what Lightning does not.
"""

import math
import time
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from proj.checkpoint.writing import refuse_reserved_names
from proj.errors import UserError
from proj.system.platform import replace, sync_folder
from proj.system.run_folder import RunFolder
from proj.training.loggers import flush_curves
from proj.training.robustness import counters
from proj.training.robustness.attributes import Attributes, gradients, restore_gradients
from proj.training.robustness.callback_states import mend_callback_states
from proj.training.robustness.changes import compare_environments, environment
from proj.training.robustness.divergence import Divergence, refuse_no_optimizer
from proj.training.robustness.loader import prepare_loader, refuse_longer_epoch, seed_batch, steps_of_epoch
from proj.training.robustness.run_end import is_last_to_validate, stopped_early
from proj.training.robustness.signals import StopSignals, end_by


class Resume(Callback):
    """Saves `last.ckpt` every `seconds` at a quiescent point, and when a signal asks to stop. It is the first callback.

    described: the `contents` that every checkpoint stores. stop_at_nan: see `Divergence`.
    state: `load_checkpoint(…)["resume"]` of the run to resume; None for a new run.
    """

    def __init__(self, folder: Path, seed: int, seconds: float, described: dict, stop_at_nan: bool, state: dict | None):
        self.folder, self.seed, self.every, self.described = folder, seed, seconds, described
        self.run = RunFolder(folder)
        self.state = state  # None once it has been applied, at the first batch
        self.saving: dict | None = None  # the state for last.ckpt, while it is being written
        self.asked = False, 0  # for the next batch: whether to save before it, and the signal by which to end
        self.signals = StopSignals()
        self.began_at: float | None = None  # when the training began in this process
        self.saved = time.monotonic()  # when last.ckpt was saved, or else when the training began
        self.seconds_before = state["seconds"] if state else 0.0
        self.divergence = Divergence(folder, stop_at_nan, state is not None)
        self.lengths = state["lengths"] if state else {}  # of TensorBoard's files at the checkpoint
        self.attributes = Attributes()

    @property
    def seconds(self) -> float:
        """The time spent in training and validation, including that before the run was stopped."""
        return self.seconds_before + (time.monotonic() - self.began_at if self.began_at else 0.0)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.attributes not in trainer.callbacks:
            trainer.callbacks.append(self.attributes)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        refuse_no_optimizer(trainer)
        refuse_reserved_names(trainer, self.folder)  # only now, since the callbacks resolve their folders in `setup`

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began_at = self.saved = time.monotonic()
        self.signals.install()
        self.environment = environment(trainer, self.described["config"])
        prepare_loader(trainer, partial(self._begin_batch, trainer))
        if self.state:
            counters.set_restarting(trainer)
            trainer.train_dataloader.first_batch = self.state["batch"]
            compare_environments(self.state["environment"], self.environment, self.folder)
            if "attributes" in self.state:  # checkpoints of older versions have none
                self.attributes.changed = self.state["attributes"][trainer.global_rank]
        self.record = {"data": self.described["data"], "examples": trainer.datamodule.chosen_examples()}
        self.record |= {"steps_per_epoch": steps_of_epoch(trainer), "saved": self.state is not None}
        code = [f"{name} {checksum}" for name, checksum in self.environment.items() if name.endswith(".py")]
        self.record |= {"code": ", ".join(code)} if code else {}
        if trainer.is_global_zero:
            self.run.write_record(**self.record)
            self.run.set_metrics_aside()  # a metrics.json would be that of a shorter training

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        prepare_loader(trainer, partial(self._begin_batch, trainer))  # the loader may be reloaded for each epoch
        refuse_longer_epoch(trainer, self.record["steps_per_epoch"], self.described["config"]["scheduler"])
        self.attributes.bring_back(trainer)  # before the other callbacks use them

    def _begin_batch(self, trainer: Trainer, epoch: int, batch_idx: int) -> None:
        """Called before a batch is made, since making it may change counters and draw random numbers."""
        if self.state is None or self.state["batch"] == batch_idx:  # not for batches that a resumed epoch drops
            self.attributes.bring_back(trainer)  # for a resumed epoch there is no `on_train_epoch_start`
            is_due = time.monotonic() - self.saved > self.every
            self.asked = self.signals.asked(trainer, batch_idx, is_due)
            to_save, _ = self.asked
            if to_save:
                self.attributes.collect(trainer)
        seed_batch(self.seed, epoch, batch_idx, trainer.global_rank)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        to_save, signal = self.asked
        if self.state:
            self._restore(trainer, pl_module)
        elif to_save and trainer.global_step:  # before the first step there is nothing to save
            self._save(trainer, pl_module, batch_idx)
        end_by(trainer, signal)
        self.divergence.step_begins(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs, batch, batch_idx: int) -> None:
        is_last = batch_idx + 1 == trainer.num_training_batches
        self.divergence.step_ends(trainer, outputs, batch_idx, is_last)
        if trainer.max_steps > 0 and trainer.global_step == trainer.max_steps:
            trainer.should_stop = True  # makes Lightning validate even if the steps end within an epoch
        if is_last and is_last_to_validate(trainer):
            trainer._last_val_time = -math.inf  # with val_check_interval as a time, the last epoch is validated anyway

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.divergence.validation_ends(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _, signal = self.signals.asked(trainer, batch_idx=0)
        self.attributes.collect(trainer)
        self._save(trainer, pl_module, batch_idx=None)
        end_by(trainer, signal)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.install()  # Lightning has restored the handlers at the end of the training

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx, *rest) -> None:
        _, signal = self.signals.asked(trainer, batch_idx)
        end_by(trainer, signal)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _, signal = self.signals.asked(trainer, batch_idx=0)
        end_by(trainer, signal)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict) -> None:
        checkpoint["proj"] = self.described
        if self.saving is None:  # another checkpoint, such as best.ckpt, from which no run can be resumed
            self.divergence.check(trainer, pl_module)
            metrics = trainer.callback_metrics.items()
            checkpoint["validated"] = {name: float(value) for name, value in metrics if name.startswith("val/")}
            return
        checkpoint["resume"] = self.saving
        if not self.saving["finished"]:
            counters.count_batch_as_not_begun(checkpoint)
        elif self.saving["batch"]:  # the training has ended within an epoch
            counters.count_epoch_as_not_done(checkpoint)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict) -> None:
        mend_callback_states(trainer, checkpoint)
        if weights := checkpoint.get("current_model_state"):  # "state_dict" has their average
            pl_module.load_state_dict(weights)

    def _save(self, trainer: Trainer, pl_module: LightningModule, batch_idx: int | None) -> None:
        """Write last.ckpt at the start of the batch `batch_idx`, or for None at the end of the training."""
        self.divergence.check(trainer, pl_module)
        self.saving = self._state(trainer, pl_module, batch_idx)
        last, previous = self.run.last, self.run.previous
        if trainer.is_global_zero and last.is_file():
            replace(last, previous)
            sync_folder(self.folder)
        try:
            trainer.save_checkpoint(last)
        except UserError:  # the file could not be read back, so the previous one becomes the last again
            if trainer.is_global_zero and previous.is_file():
                replace(previous, last)
            raise
        finally:
            self.saving = None
        if trainer.is_global_zero and not self.record["saved"]:
            self.record["saved"] = True
            self.run.write_record(**self.record)
        self.saved = time.monotonic()

    def _state(self, trainer: Trainer, pl_module: LightningModule, batch_idx: int | None) -> dict:
        """What `_restore` needs in addition to what Lightning saves. batch_idx: see `_save`."""
        finished, early = batch_idx is None, stopped_early(trainer)
        if finished:  # the run goes on at the next epoch if it is given more, or within the one in which it has ended
            done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
            batch_idx = done if not early and done < trainer.num_training_batches else 0
        own = {
            "metrics": counters.metric_states(pl_module),
            "attributes": self.attributes.collected,
            "logged": counters.logged_values(trainer),
            "gradients": gradients(pl_module),
        }
        of_each_process = [own] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(of_each_process, own)
        return {
            "batch": batch_idx,
            "finished": finished,
            "stopped_early": finished and early,
            "will_stop_early": early,  # as soon as trainer.min_epochs and min_steps allow it
            **flush_curves(trainer, self.run, self.lengths),
            **{name: [one[name] for one in of_each_process] for name in own},
            "callback_metrics": {name: value.clone() for name, value in trainer.callback_metrics.items()},
            "stepped": trainer.fit_loop.epoch_loop._batches_that_stepped,  # the next step of the curves
            "seconds": self.seconds,
            "environment": self.environment,
        }

    def _restore(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """At the first batch, restore what Lightning has not restored."""
        state, self.state = self.state, None
        counters.clear_restarting(trainer, state["stepped"])
        trainer.callback_metrics.update(state["callback_metrics"])
        trainer.should_stop |= state.get("will_stop_early", False)  # checkpoints of older versions do not have it
        counters.restore_metrics(pl_module, state["metrics"][trainer.global_rank])
        if "logged" in state:  # checkpoints of older versions have none
            counters.restore_logged(trainer, pl_module, state["logged"][trainer.global_rank], state["batch"])
        if "gradients" in state:
            restore_gradients(pl_module, state["gradients"][trainer.global_rank])
