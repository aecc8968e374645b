"""Lightning's validation loop within a training, reduced to what a plain validation needs. See `fast_loop.py`."""

import time
from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

from proj.data.batches import Batches
from proj.models.classifier import Classifier
from proj.training.fast.plain_step import callback_hooks, instance_hooks, overridden

MOMENTS = ("start", "epoch_start", "batch_start", "batch_end", "epoch_end", "end")  # on_validation_start and so on


class FastValidationLoop(_EvaluationLoop):
    """The validation loop. plain: whether its steps are plain, and no hook that is skipped here is overridden."""

    plain = False

    def look_up_hooks(self, plain: bool) -> None:
        """Look up the hooks to call; again only after a hook has changed. plain: whether the training's steps are."""
        trainer, model = self.trainer, self.trainer.lightning_module
        left_out = {"on_validation_model_eval", "on_validation_model_train"} & overridden(model, LightningModule)
        has_usual_step = getattr(type(model), "validation_step", None) is Classifier.validation_step
        self.plain, self.hooks = plain and not left_out and has_usual_step, {}
        for name in (f"on_validation_{moment}" for moment in MOMENTS):
            of_callbacks = [partial(hook, trainer, model) for hook in callback_hooks(trainer, name)]
            self.hooks[name] = [*of_callbacks, getattr(model, name)]

    def run(self) -> list:
        trainer, model = self.trainer, self.trainer.lightning_module
        plain = self.plain and instance_hooks(trainer) == trainer.fit_loop.epoch_loop.hooks_seen
        if plain and not self.restarting and not trainer.sanity_checking:
            self.setup_data()
            if not self.skip and [isinstance(loader, Batches) for loader in self._combined_loader.flattened] == [True]:
                context = torch.inference_mode() if self.inference_mode else torch.no_grad()
                with context, model.evaluating():
                    self._validate(trainer, model)
                return []
        return super().run()

    def _call(self, name: str, *arguments) -> None:
        vars(self.trainer.lightning_module)["_current_fx_name"] = name
        for hook in self.hooks[name]:
            hook(*arguments)

    def _validate(self, trainer: Trainer, model: LightningModule) -> None:
        """What Lightning's `run` does; see `FastEpochLoop.fast_batch`."""
        connector, results, logged = trainer._logger_connector, self._results, {}
        self._has_run = False
        self.batch_progress.reset_on_run()
        (loader,), (count,) = self._combined_loader.flattened, self.max_batches
        loader.set_epoch(trainer.fit_loop.epoch_progress.current.processed)
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
