"""Train a classifier: `python -m proj.train dataset=cifar10 model=cnn`."""

import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from proj.config.allowed_classes import TRUSTED
from proj.config.command_line import AGAIN, run_hydra, take, words_or_help
from proj.config.compose import CONF
from proj.config.explain import sentences
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.system.exits import ctrl_c_after_imports, stop_signals_as_exits
from proj.system.processes import die_with_parent, exit_unless_first
from proj.system.ranks import check_environment, rank

# Hydra's settings for a process that keeps no log and none of Hydra's files: all but the first of those that train
# together, and a run that saves nothing.
QUIET = ["hydra.output_subdir=null", "hydra.job_logging.root.handlers=[screen]"]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def job(cfg: DictConfig) -> float | None:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        with ctrl_c_after_imports():
            from proj.sweeps.job import run_job

        return run_job(cfg)
    with sentences():  # inside of Hydra, which would add a line of its own to an error that reaches it
        return trained(cfg)[cfg.monitor]


def trained(cfg: DictConfig) -> dict[str, Any]:
    """Call `train`, which imports torch, so only once the command line is understood; return its metrics."""
    with ctrl_c_after_imports():
        from proj.training.run import train

    return train(cfg)


def main() -> None:
    with sentences():
        check_environment()
        in_a_sweep = os.environ.get("PROJ_PARENT") == str(os.getppid())
        if rank() or in_a_sweep:
            die_with_parent()
        # Help is printed here: Hydra would first compose the configuration, which takes twice the time.
        words = words_or_help(OmegaConf.load(CONF / "hydra" / "help" / "proj.yaml").template, needed=False)
        chosen = take({"resume": Path, "trust": list}, words)
        TRUSTED[:] = chosen.get("trust", [])
        if folder := chosen.get("resume"):
            if TRUSTED and "" not in sys.path:
                sys.path.insert(0, "")  # to find the user's own modules, which lie in the working folder
            with stop_signals_as_exits(said="" if in_a_sweep else AGAIN):
                trained(stored_config(folder, words, TRUSTED))  # sys.argv stays: Lightning starts more processes by it
        elif TRUSTED and not any(word.startswith(("-m", "--m")) for word in words):
            raise UserError("trust=… works only with resume=<folder>, and for a sweep that goes on: leave it out.")
        else:
            tries = any(re.match(r"\+*trainer\.fast_dev_run=(?!false|0)", word, re.IGNORECASE) for word in words)
            sys.argv[1:] = [*words, *QUIET] if rank() or tries else words
            run_hydra(job)
    exit_unless_first()


class Module(ModuleType):
    """The class of this module. `from proj.train import train` imports torch only then. Once `proj.train` has been
    imported, `from proj import train` gives this module, so that it can be called like the function `train`."""

    def __getattr__(self, name: str):
        if name != "train":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proj.training.run import train

        return train

    def __call__(self, cfg: DictConfig) -> dict[str, Any]:
        return trained(cfg)


sys.modules[__name__].__class__ = Module


if __name__ == "__main__":
    main()
