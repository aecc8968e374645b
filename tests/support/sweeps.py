"""Runs sweeps as commands, with or without a training."""

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from support import processes

QUICK = ("trainer.max_epochs=2", "~callbacks.progress", "~callbacks.dashboard")
GRID = ("sweep_name=s", "seed=1,2")
SEARCH = ("sweep_name=s", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3")
RATES = "optimizer.lr=interval(0.01,0.1)"


def sweep(folder: Path, *words: str, module="train", before=None) -> tuple[int, str, str]:
    """Run `python -m proj.<module> <words>` in `folder`; return (exit code, stdout, stderr).

    before: called in the new process first, for example to replace the training.
    """
    words = ("-m", *words, *QUICK) if module == "train" else words
    process = processes.run(folder, f"proj.{module}", *words, before=before)
    return process.returncode, process.stdout, process.stderr


def no_training() -> None:
    """Have a training raise an error, for a sweep that should be refused before it."""
    import proj.training.run

    def train(cfg):
        raise AssertionError("trained")

    proj.training.run.train = train


def replace_training(figure: Callable) -> None:
    """Replace the training by one that ends at once, with `figure(cfg)` as its best value of the monitor."""
    from omegaconf import OmegaConf

    import proj.training.run
    from proj.system.run_folder import RunFolder

    def train(cfg) -> dict:
        metrics = {"seed": cfg.seed, cfg.monitor: figure(cfg), "epochs": 1, "parameters": 1, "seconds": 1.0}
        Path(cfg.output_dir, "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
        RunFolder(cfg.output_dir).write_metrics(metrics)
        return metrics

    proj.training.run.train = train


def finish_at_once() -> None:
    """Replace the training by one that ends at once: its accuracy is the learning rate, its loss the batch size."""
    replace_training(lambda cfg: float(cfg.optimizer.lr if "acc" in cfg.monitor else cfg.dataset.batch_size or 32))


def die_while_freezing(job: str, die: Callable[[], object] = lambda: os._exit(9)) -> None:
    """Have this process die while it freezes the job whose folder's name begins with `job`."""
    import proj.sweeps.frozen

    whole = proj.sweeps.frozen.write_atomically

    def write(path: Path, content: bytes | str) -> None:
        if path.parent.name.startswith(job):
            die()
        whole(path, content)

    proj.sweeps.frozen.write_atomically = write


def run(folder: Path, *words: str, module="train", before=finish_at_once) -> str:
    """Run a sweep that has to succeed; return its output."""
    code, out, err = sweep(folder, *words, module=module, before=before)
    assert code == 0, err
    return out


def refused(folder: Path, *words: str, module="train") -> str:
    """Run a sweep that has to be refused with one sentence; return the sentence."""
    code, _, err = sweep(folder, *words, module=module, before=no_training)
    assert code == 1 and err.startswith("error: ") and len(err.splitlines()) == 1, err
    return err


def resume(folder: Path, *words: str, name="outputs/sweeps/s") -> str:
    return run(folder, f"resume={name}", *words, module="sweep")


def names(folder: Path) -> list[str]:
    """The names of the jobs' folders that have a result."""
    return sorted(file.parent.name for file in folder.glob("*/metrics.json"))


def config(folder: Path, file="config.yaml") -> dict:
    return yaml.safe_load((folder / file).read_text())
