"""Lightning's training loop, reduced to what a plain step on one device needs. `fast_validation.py` is its counterpart.

Lightning 2.6 calls every hook of every callback in every step, most of them empty, through a profiler and a closure,
which takes longer than the whole step of a small network. Here a step calls only the hooks that are overridden, in
Lightning's order, and updates Lightning's counters: weights, curves and checkpoints are equal bit by bit. Lightning's
own loop runs if a step is not plain (gradient clipping or accumulation, several devices, another loader), or if a hook
is overridden that is neither called here nor known to be called outside of a step. `plain_step.py` decides this at the
beginning of each epoch.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

from proj.training.fast.fast_validation import FastValidationLoop
from proj.training.fast.plain_step import callback_hooks, has_plain_settings, instance_hooks, is_plain

KERNEL_SETTINGS = ("amsgrad", "lr", "weight_decay", "eps", "maximize")  # the settings of a group that the kernel takes


class FastEpochLoop(_TrainingEpochLoop):
    """The loop over an epoch's batches.

    plain: the result of `is_plain`. hooks_seen: the `instance_hooks` when it was computed.
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
            self.val_loop.look_up_hooks(self.plain)
        if self.plain:
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

    def _step(self, model: LightningModule, attributes: dict, batch, batch_idx: int) -> Tensor:
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


def backward(loss: Tensor) -> None:
    """The same as `loss.backward()`, without torch's Python overhead, a fifth of it on Iris, if the loss is a float32
    scalar on the CPU.

    On other devices the engine has its own threads, for which torch does more; and it refuses a loss that is no scalar.
    """
    if type(loss) is Tensor and loss.is_cpu and loss.ndim == 0 and loss.dtype == torch.float32:
        engine, ones = torch.autograd.Variable._execution_engine, (torch.ones_like(loss),)
        engine.run_backward((loss,), ones, False, False, (), allow_unreachable=True, accumulate_grad=True)
    else:
        loss.backward()


def step_of(optimizer: Optimizer) -> Callable[[], object]:
    """The function to call for a step of an optimizer. It must be one that `steps_plainly`."""
    is_fused_adam = type(optimizer) in (Adam, AdamW) and all(map(has_usual_settings, optimizer.param_groups))
    # The kernel takes tensors of one device and dtype.
    uniform = all(len({(p.device, p.dtype) for p in group["params"]}) == 1 for group in optimizer.param_groups)
    return partial(fused_step, optimizer) if is_fused_adam and uniform else optimizer.step


def has_usual_settings(group: dict) -> bool:
    """Whether `fused_step` handles the settings of a parameter group."""
    return bool(group["fused"]) and not (group["amsgrad"] or group["differentiable"] or isinstance(group["lr"], Tensor))


@torch.no_grad()
def fused_step(optimizer: Adam) -> None:
    """A step with the kernel that `optimizer.step` calls, on the same state, without its Python overhead, which is most
    of a small step.

    `optimizer.step` itself is called for the first step, which creates the state, and if a gradient is missing.
    """
    calls = []
    for group in optimizer.param_groups:
        gradients = [parameter.grad for parameter in group["params"]]
        states = [optimizer.state.get(parameter) for parameter in group["params"]]
        if not (all(states) and has_usual_settings(group)) or any(gradient is None for gradient in gradients):
            optimizer.step()
            return
        moments, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        calls.append((group, gradients, moments, squares, steps))
    for group, gradients, moments, squares, steps in calls:
        beta1, beta2 = group["betas"]
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        settings = {name: group[name] for name in KERNEL_SETTINGS}
        torch._foreach_add_(steps, 1)
        kernel(group["params"], gradients, moments, squares, [], steps, beta1=beta1, beta2=beta2, **settings)


def install(trainer: Trainer) -> None:
    """Make a trainer use the fast loops. Its loops keep their settings from the Trainer; only their classes change."""
    trainer.fit_loop.epoch_loop.__class__ = FastEpochLoop
    trainer.fit_loop.epoch_loop.val_loop.__class__ = FastValidationLoop
