"""For tests and benchmarks of a search: its workers are forks of the command, and its trainings only sleep."""

import os
import random
import time
from pathlib import Path

SEARCH = ("sweep_name=s", "hydra/sweeper=optuna", "hydra/launcher=joblib", "optimizer.lr=tag(log,interval(1e-4,1e-1))")


def fork_workers() -> None:
    """Have joblib's launcher fork this process for each job, and wait for all of them, even if one is killed."""
    import hydra_plugins.hydra_joblib_launcher._core as core

    from proj.sweeps.optuna_sweeper import OptunaSweeper

    class Forks:
        def __init__(self, **settings) -> None:
            pass

        def __call__(self, jobs) -> list:
            workers = []
            for function, words, settings in jobs:
                with OptunaSweeper.turn:  # a fork would otherwise inherit the lock that another thread holds
                    workers.append(os.fork())
                if not workers[-1]:
                    try:
                        function(*words, **settings)
                    finally:
                        os._exit(0)
            for worker in workers:
                os.waitpid(worker, 0)
            return []

    core.Parallel = Forks


def train_by_sleeping(seconds) -> None:
    """Replace the training by a sleep of `seconds(cfg)`. Each trial writes to its file `lives` when it runs."""
    from omegaconf import OmegaConf

    import proj.training.run
    from proj.system.locks import locked
    from proj.system.run_folder import RunFolder

    def train(cfg) -> dict:
        folder, run = Path(cfg.output_dir), RunFolder(cfg.output_dir)
        with locked(folder), open(folder / "lives", "a", buffering=1) as lives:
            lives.write(f"{'again' if run.metrics.exists() else 'began'} {time.time()} {os.getpid()}\n")
            (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
            time.sleep(seconds(cfg))
            lives.write(f"ended {time.time()} {os.getpid()}\n")
            metrics = {"seed": cfg.seed, cfg.monitor: -abs(cfg.optimizer.lr - 0.01)}
            run.write_metrics(metrics | {"epochs": 1, "parameters": 1, "seconds": 1.0})
        return metrics

    proj.training.run.train = train


def lengths(shortest: float):
    """A function from cfg to the seconds of its trial: a random length from `shortest` to ten times as long."""
    return lambda cfg: shortest * 10 ** random.Random(cfg.trial.number).random()


def assert_each_trial_once(folder: Path, count: int) -> None:
    """Assert that every trial ran once, and that the study has its result and the values with which it trained."""
    import yaml

    from proj.system.run_folder import RunFolder
    from proj.training.study import open_study

    trials = open_study(folder).trials
    jobs = {int(file.parent.name.split("_")[0]): file.parent for file in folder.glob("*/job.yaml")}
    assert len(trials) == len(jobs) == count and jobs.keys() == set(range(count))
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * count
    assert len({trial.params["optimizer.lr"] for trial in trials}) == count
    for trial in trials:
        trained = yaml.safe_load((jobs[trial.number] / "config.yaml").read_text())["optimizer"]["lr"]
        assert trained == trial.params["optimizer.lr"]
        assert RunFolder(jobs[trial.number]).read_metrics()["val/acc"] == trial.value == -abs(trained - 0.01)
        assert "again" not in (jobs[trial.number] / "lives").read_text()
