"""Lightning's training loop without what a plain step on one device does not need.

Lightning 2.6 calls every hook of every callback in every step, most of them empty, through a profiler and a closure:
more than the whole step of a small network. Here a step calls the hooks that somebody wrote, in Lightning's order, and
counts as Lightning does: the same weights, curves and checkpoints, to the bit. What is not plain (gradient clipping or
accumulation, several devices, another loader) goes Lightning's own way, and so does a run in which anybody has written
a hook that is neither called here nor known to be called outside of a step.
"""

import inspect
import re
from functools import cache

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loops.optimization.automatic import _AutomaticOptimization
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision, Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.optim import Optimizer, optimizer

from proj.data.batches import Batches
from proj.models.classifier import Classifier
from proj.training.library_defaults import is_tested

# What somebody may have written without a step's being less plain: what `fast_batch` calls, …
IN_CALLBACK = {"on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end"}
IN_MODEL = {"training_step", "on_before_optimizer_step", "on_train_batch_end"}
IN_OPTIMIZER = {"step", "add_param_group"}
# … and what Lightning calls outside of a step alone.
OUTSIDE = re.compile(
    r"on_(fit|sanity_check|train_start|train_end|train_epoch|validation|test|predict|save|load|exception)\w*"
    r"|setup|teardown|prepare_data|(train|val|test|predict)_dataloader|(validation|test|predict)_step"
    r"|configure_(callbacks|model|optimizers)|(load_)?state_dict|load_from_checkpoint|save_hyperparameters"
)


@cache
def names(base: type) -> frozenset[str]:
    """The methods of a class of Lightning's or torch's, less the private ones and those of every torch module."""
    others = dir(torch.nn.Module) if issubclass(base, torch.nn.Module) else ()
    methods = {name for name in dir(base) if not name.startswith("_") and callable(getattr(base, name))}
    return frozenset(methods.difference(others))


def written(owner: object, base: type) -> set[str]:
    """The hooks that `owner` has in place of those of `base`: in its class, or assigned to it."""
    classes = type(owner).__mro__
    places = (owner, *classes[: classes.index(base)])
    return {name for place in places for name in names(base).intersection(vars(place))}


@cache
def takes_closure(kind: type) -> bool:
    """Whether an optimizer needs the forward and backward pass as a function, to call it several times (LBFGS)."""
    return inspect.signature(kind.step).parameters["closure"].default is not None


def steps_plainly(used: Optimizer) -> bool:
    """Whether an optimizer's step is forward and backward, done once and before it, and then the step itself."""
    kind, own = type(used), vars(used).get("step")
    hooks = (used._optimizer_step_pre_hooks, used._optimizer_step_post_hooks)
    everywhere = (optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks)
    return (
        kind.__module__.startswith(("torch.optim.", "proj."))  # which call a closure once, at the beginning
        and not takes_closure(kind)
        and not any((*hooks, *everywhere))
        # A scheduler of torch's wraps the step, to tell that there was one.
        and (own is None or (hasattr(own, "_wrapped_by_lr_sched") and own.__wrapped__ is kind.step))
    )


def is_plain(trainer: Trainer) -> bool:
    """Whether a step of this run is forward, backward and the optimizer's step, with no hook but those called here."""
    model, precision, strategy = trainer.lightning_module, trainer.precision_plugin, trainer.strategy
    automatic = trainer.fit_loop.epoch_loop.automatic_optimization
    owners = [(model, LightningModule, IN_MODEL), (trainer.datamodule, LightningDataModule, set())]
    owners += [(one, Optimizer, IN_OPTIMIZER) for one in trainer.optimizers]
    owners += [(callback, Callback, IN_CALLBACK) for callback in trainer.callbacks]
    owners += [(one, type(one), set()) for one in (precision, strategy, automatic)]
    return (
        is_tested()  # the version whose order of hooks and counts this follows
        and getattr(type(model), "training_step", None) is Classifier.training_step
        and "training_step" not in vars(model)
        and model.automatic_optimization
        and type(strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and type(automatic) is _AutomaticOptimization
        and not automatic._skip_backward  # as stochastic weight averaging does in its last epoch
        and type(trainer.profiler) is PassThroughProfiler
        and isinstance(trainer.train_dataloader, Batches)  # whose batches are on the device
        and trainer.accumulate_grad_batches == 1
        and not trainer.gradient_clip_val
        and trainer._val_check_time_interval is None
        and trainer.check_val_every_n_epoch is not None
        and all((config.interval == "step") != config.reduce_on_plateau for config in trainer.lr_scheduler_configs)
        and len(trainer.optimizers) == 1
        and all(steps_plainly(one) for one in trainer.optimizers)
        and all(
            name in called or OUTSIDE.fullmatch(name) for owner, base, called in owners for name in written(owner, base)
        )
    )


class FastEpochLoop(_TrainingEpochLoop):
    """The loop over an epoch's batches; `install` puts it into a trainer.

    plain: see `is_plain`. batch_starts, optimizer_steps, batch_ends: the callbacks' hooks that somebody has written.
    """

    def on_run_start(self, data_fetcher) -> None:
        super().on_run_start(data_fetcher)
        self.plain = is_plain(self.trainer)
        if self.plain:
            (self.batches,) = data_fetcher.iterator._iterator.iterators  # of the one loader, within Lightning's two
            self.optimizer, self.precision = self.trainer.optimizers[0], self.trainer.precision_plugin
            self.schedulers = [config for config in self.trainer.lr_scheduler_configs if not config.reduce_on_plateau]
        self.batch_starts, self.optimizer_steps, self.batch_ends = (
            [getattr(callback, hook) for callback in self.trainer.callbacks if hook in written(callback, Callback)]
            for hook in ("on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end")
        )

    def advance(self, data_fetcher) -> None:
        if self.restarting or not self.plain:
            super().advance(data_fetcher)
        else:
            self.fast_batch(data_fetcher)

    def fast_batch(self, data_fetcher) -> None:
        """What Lightning's `advance` does with a batch; its counts go on, since resume and the callbacks read them."""
        trainer, model = self.trainer, self.trainer.lightning_module
        progress = self.batch_progress
        if self.val_loop.restarting:
            self.val_loop.restarting = False
        batch = next(self.batches)
        batch_idx = self.batch_idx + 1
        data_fetcher.fetched += 1
        progress.is_last_batch = data_fetcher.done = data_fetcher.fetched >= data_fetcher.length
        progress.increment_ready()
        connector, results = trainer._logger_connector, self._results
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None
        current = vars(model)  # `self.log` asks for the hook's name; assigning to a module takes longer
        current["_current_fx_name"] = "on_train_batch_start"
        for start in self.batch_starts:
            start(trainer, model, batch, batch_idx)
        progress.increment_started()

        outputs = {"loss": self._step(model, current, batch, batch_idx)}
        progress.increment_processed()
        for config in self.schedulers:
            if (batch_idx + 1) % config.frequency == 0:
                self.scheduler_progress.increment_ready()
                config.scheduler.step()
                self.scheduler_progress.increment_completed()

        current["_current_fx_name"] = "on_train_batch_end"
        for end in self.batch_ends:
            end(trainer, model, outputs, batch, batch_idx)
        model.on_train_batch_end(outputs, batch, batch_idx)
        current["_current_fx_name"] = None
        if results:  # somebody has used `self.log` in this epoch
            connector.on_batch_end()
        progress.increment_completed()
        if results:
            connector.update_train_step_metrics()

    def _step(self, model: LightningModule, current: dict, batch, batch_idx: int) -> torch.Tensor:
        """The loss of a batch, after its forward and backward pass and the optimizer's step. current: the attributes of
        the model."""
        optimizer, counts = self.optimizer, self.automatic_optimization.optim_progress.optimizer
        counts.step.increment_ready()
        current["_current_fx_name"] = "training_step"
        with self.precision.train_step_context():
            loss = model.training_step(batch, batch_idx)
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        for group in optimizer.param_groups:  # what optimizer.zero_grad does, less its profiling
            for parameter in group["params"]:
                parameter.grad = None
        counts.zero_grad.increment_completed()
        loss.backward()
        current["_current_fx_name"] = "on_before_optimizer_step"
        for hook in self.optimizer_steps:
            hook(self.trainer, model, optimizer)
        model.on_before_optimizer_step(optimizer)
        optimizer.step()
        counts.step.increment_completed()
        return loss.detach()

    def on_advance_end(self, data_fetcher) -> None:
        validates = self.batch_progress.is_last_batch or (self.batch_idx + 1) % self.trainer.val_check_batch == 0
        if validates or not self.plain or self.trainer.should_stop:
            super().on_advance_end(data_fetcher)
        else:
            self._batches_that_stepped += 1


def install(trainer: Trainer) -> None:
    """Have a trainer use the loop. Its own one is there already, with what the Trainer's arguments have set in it."""
    trainer.fit_loop.epoch_loop.__class__ = FastEpochLoop
