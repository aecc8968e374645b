"""What TensorBoard shows: the curves, and beside them inputs, mistakes, confusions, graph and hyperparameters."""

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams, pr_curve

from proj.errors import message_of
from proj.pictures.confusion import confusion_matrix, with_few_colours
from proj.pictures.drawing import WRONG, png, tiles
from proj.pictures.graph import graph_of
from proj.system.names import one_line
from proj.system.run_folder import CURVES

METRICS = ("test/acc", "val_best/acc", "val/acc", "test/loss", "val_best/loss", "val/loss")  # of the HParams tab
CHARTS = {name: ["Multiline", [f"train/{tag}", f"val/{tag}"]] for name, tag in (("loss", "loss"), ("accuracy", "acc"))}


def hyperparameters(cfg: DictConfig, batch_size: int) -> dict[str, str | float]:
    """A run's settings for the HParams tab: the same keys in every run and never None, which would hide the run."""
    shape = {k: v for k, v in cfg.model.items() if k not in ("_target_", "accepts", "loss")}
    return {
        **{name: str(choice) for name, choice in cfg.choices.items()},
        "lr": float(cfg.optimizer.get("lr") or 0),
        "weight_decay": float(OmegaConf.select(cfg, "optimizer.weight_decay") or 0),
        "batch_size": float(batch_size),
        "max_epochs": float(cfg.trainer.max_epochs or -1),
        "seed": str(cfg.seed),
        "network": " ".join(f"{name}={value}" for name, value in shape.items()),
    }


class Record(NamedTuple):
    """What TensorBoard shows at a step of the training. moment: in seconds, as of `time.time`."""

    values: list[Summary.Value]
    step: int | None
    moment: float


class Curves(TensorBoardLogger):
    """In the run's folder. All values of a step are one record, and records of the same second are written together:
    the writer's thread takes the processor from the training each time that it is woken."""

    waiting: Sequence[Record] = ()

    def __init__(self, save_dir: Path, **settings: Any) -> None:
        taken = {**signature(SummaryWriter).parameters, **signature(TensorBoardLogger).parameters}
        for name, value in settings.items():  # the writer refuses them once it is needed
            if name not in taken:
                raise TypeError(f"there is no argument {name!r}")
            if isinstance(taken[name].default, int) and not isinstance(value, int):
                raise TypeError(f"{name}={value} is not a whole number")
        own = {"name": "", "version": "", "default_hp_metric": False, "filename_suffix": CURVES}
        super().__init__(save_dir, **own | settings)

    def log_metrics(self, metrics: Mapping[str, Tensor | float], step: int | None = None) -> None:
        metrics = {tag: value for tag, value in metrics.items() if tag != "epoch"}  # Lightning's, in the test alone
        self.add([Summary.Value(tag=tag, simple_value=float(value)) for tag, value in metrics.items()], step)

    def show(self, tag: str, picture: Image.Image, step: int) -> None:
        image = Summary.Image(width=picture.width, height=picture.height, encoded_image_string=png(picture))
        self.add([Summary.Value(tag=tag, image=image)], step)

    @rank_zero_only
    def add(self, values: Iterable[Summary.Value], step: int | None) -> None:
        """Show more at a step. It is written when the run saves, or with what is shown at a later step."""
        now = time.time()
        if self.waiting and self.waiting[-1].step == step:
            self.waiting[-1].values.extend(values)
            return
        if self.waiting and now - self.waiting[0].moment > 1:
            self.write()
        self.waiting = [*self.waiting, Record([*values], step, now)]

    def write(self) -> None:
        records, self.waiting = self.waiting, ()
        for values, step, moment in records:
            self.experiment._get_file_writer().add_summary(Summary(value=values), step, moment)

    def save(self) -> None:
        self.write()
        super().save()

    def finalize(self, status: str) -> None:
        self.write()
        super().finalize(status)


def curves_of(trainer: Trainer) -> Curves | None:
    """A run's logger for TensorBoard; None of one that has others, or none."""
    return next((logger for logger in trainer.loggers if isinstance(logger, Curves)), None)


def mistakes(probabilities: Tensor, y: Tensor, data: LightningDataModule, every: int = 1) -> Image.Image:
    """Those of which the network is surest. probabilities: (N, K), y: (N,), of every `every`-th validation example."""
    names, (inputs, targets) = data.class_names, data.splits["val"]
    sure, guess = probabilities.max(1)
    wrong = guess != y
    worst = (sure * wrong).topk(min(12, int(wrong.sum()))).indices
    x = data.prepare(inputs, (worst * every).to(targets.device), None)
    captions = [(f"{names[guess[i]]} ({sure[i]:.0%})", f"is {names[y[i]]}") for i in worst.tolist()]
    images = data.facts.pixels(x.cpu()).numpy()
    return tiles(images, captions, 3, f"{wrong.sum():,} of {len(y):,} wrong, the most confident first", WRONG)


def is_last_validation(trainer: Trainer) -> bool:
    """Whether none comes after the one that is under way, unless the number of epochs is open or the run ends early."""
    every, epochs = trainer.check_val_every_n_epoch or 1, trainer.max_epochs or 0
    left = trainer.num_training_batches - trainer.fit_loop.epoch_loop.batch_progress.current.ready
    return trainer.current_epoch + 1 == epochs // every * every and left < (trainer.val_check_batch or 1)


class Dashboard(Callback):
    """Writes to the run's TensorBoard logger, where it has one, what are no metrics.

    Of up to ten epochs every validation is drawn, of more the 1st, 2nd, 4th, 8th, …, and the last: TensorBoard shows
    ten pictures of a kind. A run that was stopped and goes on leaves the same ones. Of several processes the first
    draws the examples that it has seen; the confusion matrix is of all.
    hyperparameters: flat, the same keys in every run, never None.
    histograms: of all weights too, with the pictures.
    """

    hyperparameters: dict[str, str | float] = {}

    def __init__(self, histograms: bool = False) -> None:
        self.histograms = histograms
        self.validations = 0
        self.step: int | None = None  # of the last validation
        self.seen: list[tuple[Tensor, Tensor]] | None = None  # logits and targets of a validation that is not drawn yet

    def state_dict(self) -> dict[str, int]:
        return {"validations": self.validations}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.validations = state["validations"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        board, data = curves_of(trainer), trainer.datamodule
        if trainer.global_step or board is None or not trainer.is_global_zero:
            return  # a run that goes on has them already
        writer = board.experiment
        # Only the names of the metrics: with values, TensorBoard 2.21 drops the curves of those tags or adds a point.
        for summary in hparams(self.hyperparameters, dict.fromkeys(METRICS, 0)):
            writer._get_file_writer().add_summary(summary)
        writer.add_custom_scalars({"training and validation": CHARTS})
        inputs, targets = data.splits["train"]
        index = torch.linspace(0, len(targets) - 1, 16, device=targets.device).long()
        x = data.prepare(inputs, index, None)
        if data.facts.kind == "image":
            images, captions = x, [(data.class_names[target],) for target in targets[index].tolist()]
            draws = torch.Generator(targets.device).manual_seed(0)
            moved = F.interpolate(data.prepare(inputs, index, draws), x.shape[2:])  # dataset.sizes may shrink them
            if data.mix:
                moved, _ = data.mix(data.num_classes, moved, targets[index], draws)
            if not torch.equal(x, moved):
                images = torch.stack([x, moved], 1).flatten(0, 1)[:16]  # each beside its augmented self
                captions = [lines for caption in captions[:8] for lines in (caption, ("augmented",))]
            # TensorBoard sorts by name: this one comes after the curves of train/ and val/.
            board.show("views/inputs", tiles(data.facts.pixels(images.cpu()).numpy(), captions, 4), 0)
        try:
            with pl_module.evaluating():
                network = copy.copy(pl_module.network)  # the same weights, not compiled: it is traced
                writer._get_file_writer().add_graph(graph_of(network, x[:1].to(pl_module.dtype)))
        except Exception as error:  # of a model of one's own: a picture is no reason to end a run
            reason = message_of(error, 100)
            print(f"TensorBoard has no graph of the model: torch cannot trace its network with its inputs ({reason}).")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validations += 1
        self.seen = [] if trainer.is_global_zero and curves_of(trainer) else None

    def on_validation_batch_end(self, trainer, pl_module: LightningModule, outputs, batch, batch_idx, *rest) -> None:
        if self.seen is not None:
            self.seen.append((outputs, batch[1]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        all_fit = 0 < (trainer.max_epochs or 0) <= 10 and self.validations <= 10
        if all_fit or self.validations.bit_count() == 1 or is_last_validation(trainer):  # a power of two
            self._draw(trainer, pl_module)
        self.step = trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.should_stop and trainer.global_step == self.step:  # by this validation
            self._draw(trainer, pl_module)
        self.seen = None

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.seen:
            return
        seen, self.seen = self.seen, None
        logits, y = (torch.cat(part).cpu() for part in zip(*seen, strict=True))
        probabilities = logits.float().softmax(1).nan_to_num()
        data, logger, step = trainer.datamodule, curves_of(trainer), trainer.global_step
        confusion = pl_module.confusion.int().cpu().numpy()
        logger.show("val/confusion", with_few_colours(confusion_matrix(confusion, data.class_names)), step)
        if data.facts.kind == "image":
            logger.show("val/mistakes", mistakes(probabilities, y, data, trainer.world_size), step)
        for label, name in enumerate(data.class_names[:100]):
            right, sure = (y == label).numpy(), probabilities[:, label].numpy()
            logger.add(pr_curve(f"val/pr/{one_line(name)}", right, sure, num_thresholds=51).value, step)
        if self.histograms:
            for name, weights in pl_module.named_parameters():
                logger.experiment.add_histogram(f"weights/{name.removeprefix('network.')}", weights.float(), step)
