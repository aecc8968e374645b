"""What TensorBoard shows beside the curves: inputs, graph, hyperparameters."""

import copy

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf
from torch.utils.tensorboard._pytorch_graph import graph
from torch.utils.tensorboard.summary import hparams


def hyperparameters(cfg: DictConfig) -> dict[str, str | float]:
    """A run's settings for the HParams tab: the same keys in every run and never None, which would hide the run."""
    shape = {k: v for k, v in cfg.model.items() if k not in ("_target_", "accepts", "loss")}
    return {
        **{name: str(choice) for name, choice in cfg.choices.items()},
        "lr": float(cfg.optimizer.lr),
        "weight_decay": float(OmegaConf.select(cfg, "optimizer.weight_decay") or 0),
        "batch_size": float(cfg.dataset.batch_size),
        "max_epochs": float(cfg.trainer.max_epochs),
        "seed": str(cfg.seed),
        "network": " ".join(f"{name}={value}" for name, value in shape.items()),
    }


GRAPHS: dict[tuple, tuple] = {}


def graph_of(network: torch.nn.Module, x: torch.Tensor) -> tuple:
    """The network's graph as TensorBoard's protocol buffers, traced once for the runs of a sweep that share it.

    torch.jit keeps each trace for good, 1.4 MiB.
    """
    key = (str(network), x.shape)
    if key not in GRAPHS:
        GRAPHS[key] = graph(network, x)
    return GRAPHS[key]


class Dashboard(Callback):
    """Writes to the run's TensorBoard logger. hyperparameters: flat, the same keys in every run, never None."""

    hyperparameters: dict[str, str | float] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step or trainer.logger is None or not trainer.is_global_zero:
            return  # a run that goes on has them already
        writer = trainer.logger.experiment
        # Only the names of the metrics: with values, TensorBoard 2.21 drops the curves of those tags or adds a point.
        for summary in hparams(
            self.hyperparameters, dict.fromkeys(("val/acc", "val/loss", "test/acc", "test/loss"), 0)
        ):
            writer._get_file_writer().add_summary(summary)
        x, _ = next(iter(trainer.train_dataloader))
        if x.ndim == 4:
            from torchvision.utils import make_grid

            writer.add_image("inputs/train", make_grid(x[:64], nrow=8, normalize=True), 0)
        with torch.no_grad():
            pl_module.eval()
            network = copy.copy(pl_module.network)  # the same weights, not compiled: it is traced
            writer._get_file_writer().add_graph(graph_of(network, x[:1]))
            pl_module.train()
