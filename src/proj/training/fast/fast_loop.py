"""Lightning's training loop, reduced to what a plain step on one device needs. `fast_validation.py` is its counterpart.

Lightning 2.6 calls every hook of every callback in every step, most of them empty, through a profiler and a closure,
which takes longer than the whole step of a small network. Here a step calls only the hooks that are overridden, in
Lightning's order, and updates Lightning's counters: weights, curves and checkpoints are equal bit by bit. Lightning's
own loop runs if a step is not plain (gradient clipping or accumulation, several devices, another loader), or if a hook
is overridden that is neither called here nor known to be called outside of a step. `plain_step.py` decides this at the
beginning of each epoch.
"""

from contextlib import nullcontext

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision

from proj.training.fast.fast_step import backward, step_of
from proj.training.fast.fast_validation import FastValidationLoop
from proj.training.fast.plain_step import IN_CALLBACK, callback_hooks, is_plain


class FastEpochLoop(_TrainingEpochLoop):
    """The loop over an epoch's batches.

    plain: see `is_plain`. batch_starts, optimizer_steps, batch_ends: the hooks of callbacks that a step calls.
    """

    plain = False

    def on_run_start(self, data_fetcher) -> None:
        super().on_run_start(data_fetcher)
        trainer = self.trainer
        self.plain = is_plain(trainer)
        if self.plain:
            self.batch_starts, self.optimizer_steps, self.batch_ends = callback_hooks(trainer, *IN_CALLBACK)
            (self.batches,) = data_fetcher.iterator._iterator.iterators  # our loader's, within two of Lightning's
            self.optimizer = trainer.optimizers[0]
            self.optimizer_step = step_of(self.optimizer)
            precision = trainer.precision_plugin
            self.context = precision.train_step_context if isinstance(precision, MixedPrecision) else nullcontext
            self.schedulers = [config for config in trainer.lr_scheduler_configs if not config.reduce_on_plateau]

    def advance(self, data_fetcher) -> None:
        """Train on one batch in Lightning's way; or on plain batches until Lightning has to validate or may stop."""
        if self.restarting or not self.plain:
            super().advance(data_fetcher)
            return
        self.fast_batch(data_fetcher)
        trainer, progress = self.trainer, self.batch_progress
        while not (
            progress.is_last_batch
            or progress.current.ready % trainer.val_check_batch == 0
            or trainer.should_stop
            or (self.max_steps != -1 and self.global_step >= self.max_steps)
        ):
            self._batches_that_stepped += 1
            self.fast_batch(data_fetcher)

    def fast_batch(self, data_fetcher) -> None:
        """What Lightning's `advance` does, including its counters, which resume and callbacks read.

        Each comment names the call of Lightning 2.6's `_TrainingEpochLoop.advance` that the lines below it replace.
        """
        trainer, progress, results = self.trainer, self.batch_progress, self._results
        model, connector = trainer.lightning_module, trainer._logger_connector
        in_run, in_epoch = progress.total, progress.current
        if self.val_loop.restarting:
            self.val_loop.restarting = False
        # next(data_fetcher)
        batch, batch_idx = next(self.batches), in_epoch.ready
        data_fetcher.fetched += 1
        progress.is_last_batch = data_fetcher.done = data_fetcher.fetched >= data_fetcher.length
        # batch_progress.increment_ready(); _logger_connector.on_batch_start(batch)
        in_run.ready, in_epoch.ready = in_run.ready + 1, batch_idx + 1
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None
        # _call_callback_hooks(trainer, "on_train_batch_start", …); batch_progress.increment_started()
        attributes = vars(model)  # to set the hook's name for `self.log`; an assignment to a module takes longer
        attributes["_current_fx_name"] = "on_train_batch_start"
        for hook in self.batch_starts:
            hook(trainer, model, batch, batch_idx)
        in_run.started, in_epoch.started = in_run.started + 1, in_epoch.started + 1
        # automatic_optimization.run(…); batch_progress.increment_processed()
        outputs = {"loss": self._step(model, attributes, batch, batch_idx)}
        in_run.processed, in_epoch.processed = in_run.processed + 1, in_epoch.processed + 1
        # update_lr_schedulers("step", …)
        for config in self.schedulers:
            if (batch_idx + 1) % config.frequency == 0:
                self.scheduler_progress.increment_ready()
                config.scheduler.step()
                self.scheduler_progress.increment_completed()
        # _call_callback_hooks and _call_lightning_module_hook(trainer, "on_train_batch_end", …)
        attributes["_current_fx_name"] = "on_train_batch_end"
        for hook in self.batch_ends:
            hook(trainer, model, outputs, batch, batch_idx)
        model.on_train_batch_end(outputs, batch, batch_idx)
        attributes["_current_fx_name"] = None
        # _logger_connector.on_batch_end(); batch_progress.increment_completed(); update_train_step_metrics()
        if results:  # somebody has used `self.log` in this epoch
            connector.on_batch_end()
        in_run.completed, in_epoch.completed = in_run.completed + 1, in_epoch.completed + 1
        if results:
            connector.update_train_step_metrics()

    def _step(self, model: LightningModule, attributes: dict, batch, batch_idx: int) -> torch.Tensor:
        """Train on a batch: forward, backward and optimizer step. Returns the loss. attributes: `vars(model)`."""
        optimizer, counts = self.optimizer, self.automatic_optimization.optim_progress.optimizer
        counts.step.increment_ready()
        attributes["_current_fx_name"] = "training_step"
        with self.context():
            loss = model.training_step(batch, batch_idx)
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        for group in optimizer.param_groups:  # what optimizer.zero_grad does, without its profiling
            for parameter in group["params"]:
                parameter.grad = None
        counts.zero_grad.increment_completed()
        backward(loss)
        attributes["_current_fx_name"] = "on_before_optimizer_step"
        for hook in self.optimizer_steps:
            hook(self.trainer, model, optimizer)
        model.on_before_optimizer_step(optimizer)
        self.optimizer_step()
        counts.step.increment_completed()
        return loss.detach()


def install(trainer: Trainer) -> None:
    """Make a trainer use the fast loops. Its loops keep their settings from the Trainer; only their classes change."""
    trainer.fit_loop.epoch_loop.__class__ = FastEpochLoop
    trainer.fit_loop.epoch_loop.val_loop.__class__ = FastValidationLoop
