"""Writes for TensorBoard: the curves, images of inputs and mistakes, confusion matrix, graph and hyperparameters."""

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

METRICS = ("test/acc", "val_best/acc", "val/acc", "test/loss", "val_best/loss", "val/loss")  # in the HParams tab
CHARTS = {name: ["Multiline", [f"train/{tag}", f"val/{tag}"]] for name, tag in (("loss", "loss"), ("accuracy", "acc"))}


def hyperparameters(cfg: DictConfig, batch_size: int) -> dict[str, str | float]:
    """Settings for the HParams tab: the same keys in every run, and never None, or TensorBoard would hide the run."""
    network = {k: v for k, v in cfg.model.items() if k not in ("_target_", "accepts", "loss")}
    return {
        **{name: str(choice) for name, choice in cfg.choices.items()},
        "lr": float(cfg.optimizer.get("lr") or 0),
        "weight_decay": float(OmegaConf.select(cfg, "optimizer.weight_decay") or 0),
        "batch_size": float(batch_size),
        "max_epochs": float(cfg.trainer.max_epochs or -1),
        "seed": str(cfg.seed),
        "network": " ".join(f"{name}={value}" for name, value in network.items()),
    }


class Record(NamedTuple):
    """All values of one step, which become one record of TensorBoard's file. moment: seconds, from `time.time`."""

    values: list[Summary.Value]
    step: int | None
    moment: float


class Curves(TensorBoardLogger):
    """A TensorBoardLogger that writes directly into the run's folder, and gathers the values of about a second: each
    write wakes the thread of torch's SummaryWriter, which then takes the processor from the training."""

    waiting: Sequence[Record] = ()  # records that are not written yet

    def __init__(self, save_dir: Path, **settings: Any) -> None:
        parameters = {**signature(SummaryWriter).parameters, **signature(TensorBoardLogger).parameters}
        for name, value in settings.items():  # SummaryWriter would refuse them only at the first value that is logged
            if name not in parameters:
                raise TypeError(f"there is no argument {name!r}")
            if isinstance(parameters[name].default, int) and not isinstance(value, int):
                raise TypeError(f"{name}={value} is not a whole number")
        own = {"name": "", "version": "", "default_hp_metric": False, "filename_suffix": CURVES}
        super().__init__(save_dir, **own | settings)

    def log_metrics(self, metrics: Mapping[str, Tensor | float], step: int | None = None) -> None:
        metrics = {tag: value for tag, value in metrics.items() if tag != "epoch"}  # Lightning adds it in the test
        self.add([Summary.Value(tag=tag, simple_value=float(value)) for tag, value in metrics.items()], step)

    def add_picture(self, tag: str, picture: Image.Image, step: int) -> None:
        image = Summary.Image(width=picture.width, height=picture.height, encoded_image_string=png(picture))
        self.add([Summary.Value(tag=tag, image=image)], step)

    @rank_zero_only
    def add(self, values: Iterable[Summary.Value], step: int | None) -> None:
        """Add values to a step. They are written when the run saves, or when values of a later step are added."""
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
    """The run's logger for TensorBoard; None if it has only other loggers, or none."""
    return next((logger for logger in trainer.loggers if isinstance(logger, Curves)), None)


def mistakes(probabilities: Tensor, y: Tensor, data: LightningDataModule, every: int = 1) -> Image.Image:
    """The twelve images that the network gets wrong with the highest confidence. probabilities: (N, K), y: (N,) the
    true classes, both of every `every`-th validation example."""
    names, (inputs, targets) = data.class_names, data.splits["val"]
    confidence, predicted = probabilities.max(1)
    wrong = predicted != y
    worst = (confidence * wrong).topk(min(12, int(wrong.sum()))).indices
    x = data.prepare(inputs, (worst * every).to(targets.device), None)
    captions = [(f"{names[predicted[i]]} ({confidence[i]:.0%})", f"is {names[y[i]]}") for i in worst.tolist()]
    images = data.facts.pixels(x.cpu()).numpy()
    return tiles(images, captions, 3, f"{wrong.sum():,} of {len(y):,} wrong, the most confident first", WRONG)


def is_last_validation(trainer: Trainer) -> bool:
    """Whether the current validation is the last. It stays False in a run without max_epochs, or that ends early."""
    every, epochs = trainer.check_val_every_n_epoch or 1, trainer.max_epochs or 0
    batches_left = trainer.num_training_batches - trainer.fit_loop.epoch_loop.batch_progress.current.ready
    return trainer.current_epoch + 1 == epochs // every * every and batches_left < (trainer.val_check_batch or 1)


class Dashboard(Callback):
    """Adds pictures, the network's graph and the hyperparameters to the run's TensorBoard logger, if it has one.

    The 1st, 2nd, 4th, 8th, … validation is drawn, and the last: TensorBoard shows ten pictures of a tag. A run of up to
    ten epochs draws all of its first ten ones. A resumed run draws the same ones. With several processes, the first one
    draws the examples that it has seen itself, but the confusion matrix counts those of all processes.
    hyperparameters: from the function above. histograms: whether to add those of all weights with the pictures.
    """

    hyperparameters: dict[str, str | float] = {}

    def __init__(self, histograms: bool = False) -> None:
        self.histograms = histograms
        self.validations = 0  # how many have begun, also before the run was resumed
        self.step: int | None = None  # the step of the last validation
        self.seen: list[tuple[Tensor, Tensor]] | None = None  # logits and targets of a validation that may be drawn

    def state_dict(self) -> dict[str, int]:
        return {"validations": self.validations}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.validations = state["validations"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        board, data = curves_of(trainer), trainer.datamodule
        if trainer.global_step or board is None or not trainer.is_global_zero:
            return  # a resumed run, whose global_step is not 0, has written all of this before
        writer = board.experiment
        # These summaries only name the metrics: given values too, TensorBoard 2.21 drops their curves or adds a point.
        for summary in hparams(self.hyperparameters, dict.fromkeys(METRICS, 0)):
            writer._get_file_writer().add_summary(summary)
        writer.add_custom_scalars({"training and validation": CHARTS})
        inputs, targets = data.splits["train"]
        index = torch.linspace(0, len(targets) - 1, 16, device=targets.device).long()
        x = data.prepare(inputs, index, None)
        if data.facts.kind == "image":
            images, captions = x, [(data.class_names[target],) for target in targets[index].tolist()]
            generator = torch.Generator(targets.device).manual_seed(0)
            augmented = F.interpolate(data.prepare(inputs, index, generator), x.shape[2:])  # dataset.sizes shrinks them
            if data.mix:
                augmented, _ = data.mix(data.num_classes, augmented, targets[index], generator)
            if not torch.equal(x, augmented):
                images = torch.stack([x, augmented], 1).flatten(0, 1)[:16]  # each image beside its augmented version
                captions = [lines for caption in captions[:8] for lines in (caption, ("augmented",))]
            # TensorBoard sorts tags by name: views/ comes after the curves of train/ and val/.
            board.add_picture("views/inputs", tiles(data.facts.pixels(images.cpu()).numpy(), captions, 4), 0)
        try:
            with pl_module.evaluating():
                writer._get_file_writer().add_graph(graph_of(pl_module, x[:1].to(pl_module.dtype)))
        except Exception as error:  # a user's own network may not be traceable, which is no reason to end the run
            reason = message_of(error, 100)
            print(f"TensorBoard has no graph of the model: torch cannot trace its network with its inputs ({reason}).")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validations += 1
        self.seen = [] if trainer.is_global_zero and curves_of(trainer) else None

    def on_validation_batch_end(self, trainer, pl_module: LightningModule, outputs, batch, batch_idx, *rest) -> None:
        if self.seen is not None and torch.is_tensor(outputs) and outputs.ndim == 2:  # one's own step has no logits
            self.seen.append((outputs, batch[1]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        all_fit = 0 < (trainer.max_epochs or 0) <= 10 and self.validations <= 10
        if all_fit or self.validations.bit_count() == 1 or is_last_validation(trainer):  # bit_count: a power of two
            self._draw(trainer, pl_module)
        self.step = trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.should_stop and trainer.global_step == self.step:  # this epoch's validation has ended the training
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
        logger.add_picture("val/confusion", with_few_colours(confusion_matrix(confusion, data.class_names)), step)
        if data.facts.kind == "image":
            logger.add_picture("val/mistakes", mistakes(probabilities, y, data, trainer.world_size), step)
        for label, name in enumerate(data.class_names[:100]):
            is_label, probability = (y == label).numpy(), probabilities[:, label].numpy()
            logger.add(pr_curve(f"val/pr/{one_line(name)}", is_label, probability, num_thresholds=51).value, step)
        if self.histograms:
            for name, weights in pl_module.named_parameters():
                logger.experiment.add_histogram(f"weights/{name.removeprefix('network.')}", weights.float(), step)
