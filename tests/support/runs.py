"""Stops runs at a chosen place, and compares what two runs leave, bit by bit."""

import builtins
import itertools
import json
import os
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

import proj.system.files
import proj.training.calibration
from proj.checkpoint.file import load_checkpoint
from proj.config.compose import configure
from proj.config.instantiate import build
from proj.data.facts import Facts
from proj.models import Classifier
from proj.training.run import train
from support import processes
from support.processes import PATIENCE, wait_for

# TensorBoard numbers a process's files, and reads those of the same second in the order of their names, in which 100
# comes before 99. So the numbers start at 1000.
event_file_writer._global_uid = event_file_writer.AtomicCounter(1000)

WORDS = ["dataset=digits", "model=mlp", "model.hidden=[32]", "model.dropout=0.2", "dataset.shift=1"]
WORDS += ["dataset.batch_size=100", "trainer.max_epochs=3", "save_every=0", "seed=3", "~callbacks.progress"]
TWO = [*WORDS, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "trainer.max_epochs=2"]


def ready(dataset: DictConfig, facts: Facts | None = None):
    """The datamodule that the configuration's node `dataset` describes, set up. facts: those of another training."""
    data = build(dataset)
    if facts:
        data.take(facts)
    data.prepare_data()
    data.setup()
    return data


@cache
def settings(dataset: str) -> DictConfig:
    return configure(f"dataset={dataset}", "hydra.run.dir=unused").dataset


def make(dataset: str, *overrides: str, facts: Facts | None = None):
    """`ready` of a dataset with changed settings. The settings are composed only once, since that takes a while."""
    cfg = settings(dataset).copy()
    cfg.merge_with_dotlist(list(overrides))
    return ready(cfg, facts)


def in_every_step(monkeypatch, happens, kind: type = Classifier) -> None:
    """Replace the loss of each batch by `happens(model, loss, batch, batch_idx)`."""
    real = kind.training_step
    monkeypatch.setattr(kind, "training_step", lambda model, *args: happens(model, real(model, *args), *args))


def at_batch(monkeypatch, epoch: int, number: int, happens, kind: type = Classifier) -> None:
    """Replace the loss of batch `number` in `epoch` by `happens(loss)`."""

    def here(model, loss, batch, batch_idx):
        return happens(loss) if (model.current_epoch, batch_idx) == (epoch, number) else loss

    in_every_step(monkeypatch, here, kind)


def break_off(monkeypatch, cfg, epoch: int, batch: int, model: type = Classifier) -> None:
    """Train a run that dies in this batch, just after its checkpoint."""
    with monkeypatch.context() as patch:
        at_batch(patch, epoch, batch, lambda loss: 1 / 0, model)
        with pytest.raises(ZeroDivisionError):
            train(cfg)


def changed_by_stops(configure, monkeypatch, folder: Path, words, places, model: type = Classifier) -> list[str]:
    """The differences between an uninterrupted run, which saves within no epoch, and one that dies in each of the
    batches `places`, and goes on."""
    train(configure(*words, "save_every=600", folder=folder / "whole"))
    cfg = configure(*words, folder=folder / "stopped")
    for place in places:
        break_off(monkeypatch, cfg, *place, model)
    train(cfg)
    return differences(outcome(folder / "whole"), outcome(folder / "stopped"))


@contextmanager
def rewritten(file: Path, to: Path | None = None) -> Iterator[dict]:
    """Yields a checkpoint's contents, which the block may change, and saves them, to another file if `to` is given."""
    checkpoint = torch.load(file, weights_only=True)
    yield checkpoint
    torch.save(checkpoint, to or file)


def child(folder: str, words: list[str], dies: str | None, rank: int = 0, port: int = 0) -> None:
    """In a new process: train a run. dies: the place in the code, in words, at which the process kills itself.

    rank, port: of one of two processes that train together.
    """
    if port:
        rank_zero_only.rank = rank
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
        warnings.filterwarnings("error", ".*sync_dist=True")  # Lightning's, of a metric that only one process has
        if rank:  # only the first process may write and print
            os.fsync = builtins.print = lambda *args, **settings: os._exit(77)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    torch.set_num_threads(1)

    def kill(*args, **settings):
        os.kill(os.getpid(), signal.SIGKILL)

    if dies == "writing a checkpoint":
        files, replace = itertools.count(1), os.replace
        proj.system.files.os.replace = lambda *paths: kill() if next(files) == 10 else replace(*paths)
    if dies == "in validation":
        Classifier.validation_step = kill
    if dies == "calibrating":
        proj.training.calibration.fit_temperature = kill
    if dies == "in the test":
        Classifier.test_step = kill
    train(configure(*words, f"hydra.run.dir={folder}"))


def run(folder: Path, words=WORDS, dies: str | None = None, after: float | None = None) -> int:
    """Train a run in a process of its own, which is killed `after` seconds if given; return its exit code."""
    process = processes.new(child, str(folder), list(words), dies)
    process.start()
    if after is not None:
        process.join(after)
        process.kill()
    process.join(PATIENCE)
    return process.exitcode


def run_two(folder: Path, words: list[str], stop: signal.Signals | None = None) -> list[int]:
    """Train a run in two processes; return their exit codes. stop: the signal that both get after their checkpoint."""
    (port,), before = free_ports(1), saved(folder)
    both = [processes.new(child, str(folder), words, None, rank, port) for rank in range(2)]
    for process in both:
        process.start()
    if stop:
        wait_for(lambda: saved(folder) > before, both[0])
        for process in both:
            os.kill(process.pid, stop)
    for process in both:
        process.join(PATIENCE)
    return [process.exitcode for process in both]


def saved(folder: Path) -> int:
    """When a run's last.ckpt was written, in ns; 0 if there is none, as for a moment while it is replaced."""
    with suppress(FileNotFoundError):
        return (folder / "last.ckpt").stat().st_mtime_ns
    return 0


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def events(folder: Path) -> EventAccumulator:
    """What TensorBoard reads in a folder."""
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """{tag: [(step, value), …]}, without the speed, which differs between runs."""
    found = events(folder)
    tags = [tag for tag in found.Tags()["scalars"] if not tag.endswith("per_second")]
    # Sorted, since TensorBoard may read the files of one second in another order.
    return {tag: sorted((event.step, event.value) for event in found.Scalars(tag)) for tag in tags}


def flat(node, prefix="") -> dict:
    """{path: value} of all values in nested mappings and lists; a tensor becomes its bytes."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return {prefix: node.numpy().tobytes() if isinstance(node, torch.Tensor) else node}
    found = {}
    for key, value in node.items():
        found |= flat(value, f"{prefix}/{key}")
    return found


# Parts of the names of values that differ between two runs of the same command: times, and names of folders.
OWN = ("data_dir", "seconds", "per_second", "folder", "checkpoint", "output_dir", "dirpath")
OWN += ("best_model_path", "best_k_models", "kth_best", "save_every")


def outcome(folder: Path) -> dict:
    """{name: value} of all that a run leaves, bit by bit, except times and names of folders."""
    left = {}
    for name in ("last.ckpt", "best.ckpt"):
        checkpoint = load_checkpoint(folder / name)
        state = checkpoint.pop("resume", {})
        kept = {key: state.get(key) for key in ("metrics", "callback_metrics", "stepped")}
        left |= flat({name: checkpoint, f"{name} resume": kept})
    left |= flat({"metrics.json": json.loads((folder / "metrics.json").read_text())})
    found = events(folder)
    shown = {f"curve {tag}": points for tag, points in curves(folder).items()}
    for tag in found.Tags()["scalars"]:
        shown.setdefault(f"curve {tag}", [event.step for event in found.Scalars(tag)])  # only the steps of the speed
    for tag in found.Tags()["images"]:
        shown[f"curve {tag}"] = [(event.step, event.encoded_image_string) for event in found.Images(tag)]
    for tag in found.Tags()["tensors"]:  # precision-recall curves
        shown[f"curve {tag}"] = [(event.step, event.tensor_proto.SerializeToString()) for event in found.Tensors(tag)]
    return {key: value for key, value in left.items() if not any(word in key for word in OWN)} | shown


def differences(a: dict, b: dict) -> list[str]:
    return [key for key in sorted(a.keys() | b.keys()) if key not in a or key not in b or a[key] != b[key]]


def assert_one_set_of_files(folder: Path, lives: int = 1) -> None:
    """Assert that only one process at a time wrote into a run's folder. lives: how often the run was started."""
    names = {file.name for file in folder.iterdir() if not file.name.startswith((".", "events"))}
    free = {"job.yaml", "train.log", "previous.ckpt"}
    assert names - free == {"best.ckpt", "config.yaml", "hparams.yaml", "last.ckpt", "metrics.json", "run.json"}
    assert len({file.name.split(".")[-3] for file in folder.glob("events*")}) == lives  # processes
    assert len(list(folder.glob(".hydra/*"))) == (0 if "job.yaml" in names else 3)
