"""Hands a launcher the configuration of a job as it was frozen, where Hydra's own would compose it anew."""

import copy
import sys

from omegaconf import DictConfig, OmegaConf

from proj.config.compose import literal
from proj.sweeps.folder import Sweep
from proj.system.ranks import rank


class FrozenJobs:
    """Takes the place of the config loader in the context that Hydra gives to a launcher.

    A launcher is started with a list of words for each job, here with one word, the name of the job's folder. It hands
    them to `load_sweep_config`, the one method of a config loader that it calls. Launchers pickle this object, and call
    it in the process or on the machine where the job runs.

    isolate: whether each job has a process of its own; None leaves each as it was frozen.
    log: "line" where what a job prints goes to its log, "full" where it is shown.
    """

    def __init__(self, sweep: Sweep, isolate: bool | None, log: str) -> None:
        self.sweep, self.isolate, self.log = sweep, isolate, log

    def load_sweep_config(self, master_config: DictConfig, words: list[str]) -> DictConfig:
        (name,) = words
        job = self.sweep.checked_job(name)
        frozen = job.pop("hydra")
        config = OmegaConf.create(job)
        # How the job is started, the command says that goes on; the file says only which job it is.
        config.hydra = copy.deepcopy(master_config.hydra)
        for part, key in (("overrides", "task"), ("job", "num"), ("sweep", "subdir"), ("runtime", "choices")):
            OmegaConf.update(config.hydra, f"{part}.{key}", literal(frozen[part][key]), force_add=True)
        config.hydra.output_subdir = None  # Hydra would keep there what job.yaml says
        config.hydra.sweep.dir = str(self.sweep.folder.absolute())  # a worker of Ray's may start elsewhere
        config.data_dir = self.sweep.data_dir(config.data_dir)
        if self.isolate is not None:
            config.isolate = self.isolate
        config.log = self.log
        self.sweep.refuse_changed_code(() if config.isolate else sys.modules)  # since then the job imports the rest
        if rank():  # of the processes that train a job together, the first keeps the log
            config.hydra.job_logging.root.handlers = ["screen"]
        elif self.log == "line" and "file" in (OmegaConf.select(config, "hydra.job_logging.root.handlers") or ()):
            config.hydra.job_logging.root.handlers = ["file"]  # which is where the screen's lines go, too
        return config
