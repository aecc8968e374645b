"""Hands the frozen configuration of a job to a launcher; Hydra's own config loader would compose it anew."""

import sys

from omegaconf import DictConfig, OmegaConf

from proj.config.compose import literal
from proj.sweeps.folder import Sweep
from proj.system.ranks import rank


class FrozenLoader:
    """Replaces the config loader in the context that Hydra gives to a launcher.

    A launcher gets a list of overrides for each job, and passes it to `load_sweep_config`, the only method of a config
    loader that it calls. Here each list holds one word, the name of the job's folder. Launchers pickle this object, and
    call it in the process, and on the machine, where the job runs.

    isolate: whether each job has a process of its own; None leaves it as frozen.
    log: "line" if the output of a job goes to its log, "full" if it is shown.
    """

    def __init__(self, sweep: Sweep, isolate: bool | None, log: str) -> None:
        self.sweep, self.isolate, self.log = sweep, isolate, log

    def load_sweep_config(self, master_config: DictConfig, words: list[str]) -> DictConfig:
        (name,) = words
        job = self.sweep.checked_job(name)
        frozen = job.pop("hydra")
        config = OmegaConf.create(job)
        # Hydra's settings come from the current command: only what identifies the job is taken from the frozen file.
        config.hydra = master_config.hydra  # OmegaConf assigns a copy
        for part, key in (("overrides", "task"), ("job", "num"), ("runtime", "choices")):
            OmegaConf.update(config.hydra, f"{part}.{key}", literal(frozen[part][key]), force_add=True)
        config.hydra.output_subdir = None  # Hydra would write a copy of what is in job.yaml
        config.hydra.sweep.dir = str(self.sweep.folder.absolute())  # a Ray worker may start in another folder
        config.hydra.sweep.subdir, config.output_dir = name, "${hydra:runtime.output_dir}"
        config.data_dir = self.sweep.find_data(config.data_dir)
        if self.isolate is not None:
            config.isolate = self.isolate
        config.log = self.log
        self.sweep.refuse_changed_code(() if config.isolate else sys.modules)  # the rest is imported from now on
        if rank():  # only the first of the processes that train a job together writes its log
            config.hydra.job_logging.root.handlers = ["screen"]
        elif self.log == "line" and "file" in (OmegaConf.select(config, "hydra.job_logging.root.handlers") or ()):
            config.hydra.job_logging.root.handlers = ["file"]  # the screen's output goes into the same file
        return config
