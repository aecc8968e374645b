"""Lightning's training loop without what a plain step on one device does not need, and its validation loop likewise.

Lightning 2.6 calls every hook of every callback in every step, most of them empty, through a profiler and a closure:
more than the whole step of a small network. Here a step calls the hooks that somebody wrote, in Lightning's order, and
counts as Lightning does: the same weights, curves and checkpoints, to the bit. What is not plain (gradient clipping or
accumulation, several devices, another loader) goes Lightning's own way, and so does a run in which a hook is overridden
that is neither called here nor known to be called outside of a step: `plain_step.py` decides it, each time that an
epoch begins.
"""

import time
from contextlib import nullcontext
from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision

from proj.data.batches import Batches
from proj.models.classifier import Classifier
from proj.training.fast_adam import step_of
from proj.training.plain_step import callback_hooks, has_plain_settings, instance_hooks, is_plain, overridden

PARTS = ("start", "epoch_start", "batch_start", "batch_end", "epoch_end", "end")  # of a validation


class FastEpochLoop(_TrainingEpochLoop):
    """The loop over an epoch's batches.

    plain: see `is_plain`. hooks_seen: the `instance_hooks` when this was looked at.
    batch_starts, optimizer_steps, batch_ends: the hooks of callbacks that a step calls.
    """

    plain, hooks_seen = False, None

    def on_run_start(self, data_fetcher) -> None:
        super().on_run_start(data_fetcher)
        trainer = self.trainer
        if self.plain and self.hooks_seen == instance_hooks(trainer):
            self.plain = has_plain_settings(trainer)
        else:
            self.plain, self.hooks_seen = is_plain(trainer), instance_hooks(trainer)
            self.batch_starts, self.optimizer_steps, self.batch_ends = (
                callback_hooks(trainer, name)
                for name in ("on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end")
            )
            self.val_loop.take_hooks(self.plain)
        if self.plain:
            (self.batches,) = data_fetcher.iterator._iterator.iterators  # of the one loader, within Lightning's two
            self.optimizer = trainer.optimizers[0]
            self.optimizer_step = step_of(self.optimizer)
            precision = trainer.precision_plugin
            self.context = precision.train_step_context if isinstance(precision, MixedPrecision) else nullcontext
            self.schedulers = [config for config in trainer.lr_scheduler_configs if not config.reduce_on_plateau]

    def advance(self, data_fetcher) -> None:
        """A batch in Lightning's own way, or plain ones up to that after which Lightning validates or may stop."""
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
        """What Lightning's `advance` does with a batch; its counts go on, since resume and the callbacks read them."""
        trainer, progress, results = self.trainer, self.batch_progress, self._results
        model, connector = trainer.lightning_module, trainer._logger_connector
        in_run, in_epoch = progress.total, progress.current
        if self.val_loop.restarting:
            self.val_loop.restarting = False
        batch, batch_idx = next(self.batches), in_epoch.ready
        data_fetcher.fetched += 1
        progress.is_last_batch = data_fetcher.done = data_fetcher.fetched >= data_fetcher.length
        in_run.ready, in_epoch.ready = in_run.ready + 1, batch_idx + 1
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None
        attributes = vars(model)  # `self.log` asks for the hook's name; assigning to a module takes longer
        attributes["_current_fx_name"] = "on_train_batch_start"
        for start in self.batch_starts:
            start(trainer, model, batch, batch_idx)
        in_run.started, in_epoch.started = in_run.started + 1, in_epoch.started + 1

        outputs = {"loss": self._step(model, attributes, batch, batch_idx)}
        in_run.processed, in_epoch.processed = in_run.processed + 1, in_epoch.processed + 1
        for config in self.schedulers:
            if (batch_idx + 1) % config.frequency == 0:
                self.scheduler_progress.increment_ready()
                config.scheduler.step()
                self.scheduler_progress.increment_completed()

        attributes["_current_fx_name"] = "on_train_batch_end"
        for end in self.batch_ends:
            end(trainer, model, outputs, batch, batch_idx)
        model.on_train_batch_end(outputs, batch, batch_idx)
        attributes["_current_fx_name"] = None
        if results:  # somebody has used `self.log` in this epoch
            connector.on_batch_end()
        in_run.completed, in_epoch.completed = in_run.completed + 1, in_epoch.completed + 1
        if results:
            connector.update_train_step_metrics()

    def _step(self, model: LightningModule, attributes: dict, batch, batch_idx: int) -> torch.Tensor:
        """The loss of a batch, after its pass and the optimizer's step. attributes: of the model."""
        optimizer, counts = self.optimizer, self.automatic_optimization.optim_progress.optimizer
        counts.step.increment_ready()
        attributes["_current_fx_name"] = "training_step"
        with self.context():
            loss = model.training_step(batch, batch_idx)
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        for group in optimizer.param_groups:  # what optimizer.zero_grad does, less its profiling
            for parameter in group["params"]:
                parameter.grad = None
        counts.zero_grad.increment_completed()
        loss.backward()
        attributes["_current_fx_name"] = "on_before_optimizer_step"
        for hook in self.optimizer_steps:
            hook(self.trainer, model, optimizer)
        model.on_before_optimizer_step(optimizer)
        self.optimizer_step()
        counts.step.increment_completed()
        return loss.detach()


class FastValidationLoop(_EvaluationLoop):
    """The validation within a training. plain: whether its steps are, and no hook that is left out is overridden."""

    plain = False

    def take_hooks(self, plain: bool) -> None:
        """plain: whether the training's steps are."""
        trainer, model = self.trainer, self.trainer.lightning_module
        left_out = {"on_validation_model_eval", "on_validation_model_train"} & overridden(model, LightningModule)
        has_usual_step = getattr(type(model), "validation_step", None) is Classifier.validation_step
        self.plain, self.hooks = plain and not left_out and has_usual_step, {}
        for name in (f"on_validation_{part}" for part in PARTS):
            of_callbacks = [partial(hook, trainer, model) for hook in callback_hooks(trainer, name)]
            self.hooks[name] = [*of_callbacks, getattr(model, name)]

    def run(self) -> list:
        trainer = self.trainer
        plain = self.plain and instance_hooks(trainer) == trainer.fit_loop.epoch_loop.hooks_seen
        if plain and not self.restarting and not trainer.sanity_checking:
            self.setup_data()
            if not self.skip and [isinstance(one, Batches) for one in self._combined_loader.flattened] == [True]:
                with torch.inference_mode() if self.inference_mode else torch.no_grad():
                    self._validate(trainer, trainer.lightning_module)
                return []
        return super().run()

    def _call(self, name: str, *arguments) -> None:
        vars(self.trainer.lightning_module)["_current_fx_name"] = name
        for hook in self.hooks[name]:
            hook(*arguments)

    def _validate(self, trainer: Trainer, model: LightningModule) -> None:
        """What Lightning's `run` does; see `fast_batch`."""
        connector, results, logged = trainer._logger_connector, self._results, {}
        self._has_run = False
        self.batch_progress.reset_on_run()
        (loader,), (count,) = self._combined_loader.flattened, self.max_batches
        loader.set_epoch(trainer.fit_loop.epoch_progress.current.processed)
        training = [module for module in model.modules() if module.training]
        model.eval()
        self._call("on_validation_start")
        self._call("on_validation_epoch_start")
        for batch_idx, batch in zip(range(count), loader, strict=False):
            self.batch_progress.is_last_batch = batch_idx + 1 == count
            self._batch(model, batch, batch_idx)
        connector.epoch_end_reached()
        if results:  # somebody has used `self.log`
            logged |= connector.update_eval_epoch_metrics()
        self._call("on_validation_epoch_end")
        if results:
            connector.on_epoch_end()
            connector.log_eval_end_metrics(logged | connector.update_eval_epoch_metrics())
        self._call("on_validation_end")
        vars(model)["_current_fx_name"] = None
        connector.reset_results()
        for module in training:
            module.training = True
        trainer._last_val_time = time.monotonic()

    def _batch(self, model: LightningModule, batch, batch_idx: int) -> None:
        connector, results, progress = self.trainer._logger_connector, self._results, self.batch_progress
        progress.increment_ready()
        connector.on_batch_start(batch)
        self._call("on_validation_batch_start", batch, batch_idx)
        progress.increment_started()
        vars(model)["_current_fx_name"] = "validation_step"
        with self.trainer.precision_plugin.val_step_context():
            output = model.validation_step(batch, batch_idx)
        progress.increment_processed()
        self._call("on_validation_batch_end", output, batch, batch_idx)
        if results:
            connector.on_batch_end()
        progress.increment_completed()
        self._has_run = True
        if results:
            connector.update_eval_step_metrics(self._seen_batches_per_dataloader[0])
        self._seen_batches_per_dataloader[0] += 1


def install(trainer: Trainer) -> None:
    """Have a trainer use the loops. Its own are there already, with what the Trainer's arguments have set in them."""
    trainer.fit_loop.epoch_loop.__class__ = FastEpochLoop
    trainer.fit_loop.epoch_loop.val_loop.__class__ = FastValidationLoop
