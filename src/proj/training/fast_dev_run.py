"""`trainer.fast_dev_run=true`: does it run at all? A few batches, and nothing is left behind."""

from pathlib import Path

from lightning.pytorch import seed_everything
from lightning.pytorch.loggers.logger import DummyLogger
from omegaconf import DictConfig

from proj.errors import how_many
from proj.system.processes import refuse_missing_devices, take_part
from proj.training.build import build_data_and_model, build_trainer, introduce
from proj.training.library_defaults import quiet_lightning
from proj.training.precision import set_precision


def try_out(folder: Path, cfg: DictConfig) -> dict:
    """Lightning's `fast_dev_run`: a few batches of training, validation and test, of which nothing is saved; return
    their metrics. A run that is in the folder stays as it is.
    """
    quiet_lightning()
    environment = take_part(cfg.trainer)
    refuse_missing_devices(cfg.trainer)
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, model = build_data_and_model(cfg)
    cfg.trainer.precision, reason = set_precision(cfg.trainer.precision, model, cfg.trainer.accelerator)
    trainer = build_trainer(folder, cfg, data, cfg.trainer.precision, [], environment, [DummyLogger()])
    if trainer.is_global_zero:
        introduce(cfg, trainer, data, reason)
    trainer.fit(model, data)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if cfg.test:
        metrics |= trainer.test(model, data, verbose=False)[0]
    if trainer.is_global_zero:
        number = int(cfg.trainer.fast_dev_run)
        batches = how_many(number, "batch")
        parts = "training, validation and test" if cfg.test else "training and validation"
        print(f"fast_dev_run: {batches} each of {parts} went through; nothing was saved.")
    return metrics
