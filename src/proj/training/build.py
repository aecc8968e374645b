"""Builds the parts of a run from its configuration: the data, the model and Lightning's Trainer."""

import os
import shutil
from pathlib import Path

import lightning
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar
from omegaconf import DictConfig

from proj.checkpoint.writing import AtomicCheckpointIO
from proj.config.instantiate import build, build_a
from proj.data.datamodule import InMemoryDataModule
from proj.data.facts import Facts
from proj.errors import UserError
from proj.models.backbones import find, weights_of
from proj.models.balance import WeightedLoss, class_counts, classes_without_examples, few_to_measure, inequality
from proj.models.classifier import Classifier
from proj.pictures.tensorboard import hyperparameters
from proj.system.names import one_line
from proj.system.processes import BAR
from proj.system.ranks import say
from proj.training.checkpoints import build_callbacks
from proj.training.fast import fast_loop
from proj.training.fitting import (
    check_loss,
    enough_for_parameters,
    refuse_larger_sizes,
    refuse_unfitting,
    unregistered_layers,
)
from proj.training.library_defaults import TESTED, is_tested
from proj.training.progress_bar import JobBar
from proj.training.run_length import share_of_initial_weights, training_batches
from proj.wording import how_many

FEW_IMAGES = 100  # of each class: docs/photos.md measures that a pretrained network is better with 50, and with 10
FROM_SCRATCH = ("proj.models.CNN", "proj.models.WhitenedCNN", "proj.models.MLP")


def print_introduction(cfg: DictConfig, trainer, data, reason: str) -> None:
    """Print what is trained, on how many examples, on which device and in which precision, and warnings if any.

    reason: why this precision was chosen.
    """
    train, val, test = (f"{len(split.targets):,} {name}" for name, split in data.splits.items())
    print(one_line(f"{cfg.choices.model} on {cfg.choices.dataset}: {train}, {val}, {test} examples"))
    has_folds = "folds" in cfg.dataset and cfg.dataset.get("order") is cfg.dataset.get("split") is None
    say(*classes_without_examples(data), *few_to_measure(data, has_folds))
    line = inequality(class_counts(data), data.class_names)
    if line and cfg.balance == "none":
        say(line)
    if cfg.balance != "none" and cfg.threshold is not None and data.num_classes > 2:
        say(f"balance={cfg.balance} shifts the probabilities by which threshold=… decides: leave one of them out.")
    say(*few_images(cfg, data))
    precision = cfg.trainer.precision
    if precision == "16-mixed" != trainer.precision:
        precision, reason = trainer.precision, "16-mixed is for GPUs"
    print(f"on {trainer.strategy.root_device} with trainer.precision={precision}: {reason}")
    steps = training_batches(trainer, data, cfg.test) / trainer.accumulate_grad_batches
    if (share := share_of_initial_weights(cfg.callbacks.get("average"), steps)) > 0.05:
        say(
            f"callbacks.average: at the end, {share:.0%} of the average still comes from the initial weights. Train "
            "longer, or lower callbacks.average.decay or callbacks.average.update_every_n_steps."
        )
    if not is_tested():
        say(
            f"This is Lightning {lightning.__version__}: resume and speed were tested only with {TESTED}, which "
            f"pip install 'lightning=={TESTED}.*' installs."
        )


def few_images(cfg: DictConfig, data: InMemoryDataModule) -> list[str]:
    """A remark on a network that starts from random weights with so few images that a pretrained one is better."""
    each = len(data.splits["train"].targets) // len(data.class_names)
    if data.kind != "image" or each >= FEW_IMAGES or cfg.model.get("_target_") not in FROM_SCRATCH:
        return []
    return [
        f"About {each} training images of each class are few for a network with random weights: model=pretrained "
        "starts with those of a million photos (docs/photos.md)."
    ]


def build_data_and_model(cfg: DictConfig, contents: dict | None = None) -> tuple:
    """The datamodule with its data in memory, and the model for it.

    contents: those of the checkpoint that a run is resumed from, so that a table is read as it was then; else None.
    """
    data = read_data(cfg, contents)
    refuse_unfitting(cfg, data)
    model = build_model(cfg, data, contents)
    if contents is None:
        say(*unused_optimizer(cfg, model), *unregistered_layers(model))
        refuse_larger_sizes(data)
        if type(model).__module__.startswith("proj.models."):  # users' own models may return log probabilities
            check_loss(model.loss, data.num_classes)
        model.begin(data)
    return data, model


def unused_optimizer(cfg: DictConfig, model: Classifier) -> list[str]:
    """A remark on a model with a `configure_optimizers` of its own that does not use the configuration's optimizer."""
    code = getattr(type(model).configure_optimizers, "__code__", None)
    if code is None or {"optimizer", "super"} & {*code.co_names}:
        return []
    name = f"{type(model).__name__}.configure_optimizers"
    return [f"{name} makes the optimizer, so that optimizer={cfg.choices.optimizer} and its settings have no effect"]


def read_data(cfg: DictConfig, contents: dict | None) -> InMemoryDataModule:
    """The datamodule with its data in memory. contents: see `build_data_and_model`."""
    settings = {}
    if "backbone" in cfg.model:
        if cfg.dataset.get("size", 0) is None:  # take the image size of the backbone's pretraining
            settings["size"] = find(cfg.model.backbone).recipe.sized(cfg.model.get("size")).resize
        if contents is None and cfg.model.get("weights"):
            weights_of(cfg.model.backbone, cfg.model.weights)  # raises errors before many photos are read
    data = build_a(InMemoryDataModule, "dataset", cfg.dataset, **settings)
    if contents and contents.get("columns"):
        data.take(Facts.from_dict(contents))
    data.prepare_data()
    data.setup()
    data.balanced = cfg.balance == "sampling"
    return data


def build_model(cfg: DictConfig, data: InMemoryDataModule, contents: dict | None) -> Classifier:
    """The model for the data. contents: see `build_data_and_model`."""
    network = build_a(Classifier, "model", {**cfg.model, "_partial_": True}).func
    measured = contents.get("measured", {}) if contents else getattr(network, "measure", lambda data: {})(data)
    facts = {"input_shape": data.input_shape, "num_classes": data.num_classes}
    schedule = build({**cfg.scheduler, "_partial_": True})
    with enough_for_parameters(cfg):
        training = {"optimizer": build({"_partial_": True, **cfg.optimizer}), "scheduler": schedule}
        model = build_a(Classifier, "model", cfg.model, **facts, **training, **measured)
        model.take_shapes(data.input_shape)
    if not hasattr(model, "network") and type(model).forward is Classifier.forward:
        raise UserError(f"model._target_={cfg.model._target_} has no network: set self.network in its __init__.")
    if model.num_classes != data.num_classes:
        raise UserError(
            f"{type(model).__name__} is built for {how_many(model.num_classes, 'class')}, and the data has "
            f"{data.num_classes:,}: let it take num_classes, and pass it on: super().__init__(num_classes, **training)."
        )
    model.measured = measured
    model.tta, model.monitor, model.mode = cfg.tta, cfg.monitor, cfg.mode
    model.positive = data.rarest_class
    if cfg.balance == "loss":
        model.weighted_loss = WeightedLoss(model.loss, class_counts(data))
    return model


def build_trainer(folder: Path, cfg: DictConfig, data, first: list, plugins: list, loggers=()):
    """Lightning's Trainer. first: callbacks that come before those of the configuration. plugins: Lightning's, see
    `fit_to_processes`."""
    callbacks = build_callbacks(folder, cfg)
    if (bar := os.environ.get(BAR)) is not None and "progress" in callbacks:
        del callbacks["progress"]
        if bar:
            callbacks["progress"] = JobBar(*bar.split(" ", 1))
    if "dashboard" in callbacks:
        callbacks["dashboard"].hyperparameters = hyperparameters(cfg, data.batch_size)
    # None rather than False if torch's setting need not change: to set it, torch would import its compiler.
    deterministic = cfg.trainer.deterministic or (False if torch.are_deterministic_algorithms_enabled() else None)
    trainer = build_a(
        Trainer,
        "trainer",
        cfg.trainer,
        deterministic=deterministic,
        callbacks=[*first, *callbacks.values()],
        logger=list(loggers),
        plugins=[AtomicCheckpointIO(folder), *plugins],
        default_root_dir=str(folder),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks.values()),
    )
    if cfg.trial:
        from proj.training.pruning import Prune

        trainer.callbacks.append(Prune(folder.parent, cfg.monitor, **cfg.trial))
    if cfg.fast_loop:
        fast_loop.install(trainer)
    batches = training_batches(trainer, data, cfg.test)
    if bar and "progress" in callbacks:
        callbacks["progress"].batches = batches
    # Curves have at least a hundred points, unless the run has fewer batches.
    trainer.log_every_n_steps = int(max(1, min(trainer.log_every_n_steps, batches // 100)))
    return trainer


def compile_network(model: Classifier) -> None:
    """Compile the network in place, which keeps its weights' names. Raises UserError without compiler or network."""
    if not hasattr(model, "network"):
        name = type(model).__name__
        raise UserError(f"compile=true compiles self.network, and {name} has none: set it, or leave compile out.")
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "g++"), "g++", "clang++", "cl")):
        raise UserError("compile=true needs a C++ compiler, and none is here: install g++, or leave it out.")
    model.network.compile()
