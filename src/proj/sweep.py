"""Continue a sweep: python -m proj.sweep resume=<folder> key=value …

  resume=<folder>           what the sweep's end named: outputs/sweeps/rates
  isolate=true              each job in a process of its own; false: not
  hydra.sweeper.<key>=<…>   of a search: n_trials=100 makes it a hundred in all

Finished jobs are never run again, stopped ones continue from their last
checkpoint, failed ones are tried again. Before a sweep's first job started,
every job's configuration was composed, checked and frozen in the job's folder
(job.yaml), with the command, the versions of packages, the commit and the
uncommitted changes beside them.
"""

import copy
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import hydra
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from proj.atomic_write import write_atomically
from proj.config import CONF
from proj.errors import UserError, sentences
from proj.hydra_command import run_hydra
from proj.processes import rank
from proj.runs import Loader, status

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "omegaconf", "numpy")


def plain(overrides: list[str]) -> list[str]:
    """Without what changes no job."""
    return [word for word in overrides if not word.startswith(("sweep_name=", "isolate="))]


def git(*words: str) -> bytes:
    """What git says of the project; nothing where it is no checkout, or git is not there."""
    try:
        return subprocess.run(["git", "-C", str(CONF), *words], capture_output=True).stdout
    except OSError:
        return b""


@dataclass
class Sweep:
    """A sweep's folder. It is also the config loader that a launcher asks for a job's configuration."""

    folder: Path
    isolate: bool
    composed: dict[str, DictConfig] = field(default_factory=dict)  # of jobs that wait, to spare reading them

    def __getstate__(self) -> dict:
        return vars(self) | {"composed": {}}  # for another process

    def known(self, overrides: list[str]) -> bool:
        """Whether it was begun before. Raises UserError if it was with another command."""
        if not (self.folder / "sweep.yaml").is_file():
            return False
        before = yaml.safe_load((self.folder / "sweep.yaml").read_text())["overrides"]
        if plain(before) != plain(overrides):
            raise UserError(
                f"{self.folder} holds another sweep ({shlex.join(before)}). To continue it: python -m proj.sweep "
                f"resume={self.folder}; for a new one, choose another sweep_name."
            )
        return True

    def begin(self, config: DictConfig, jobs: list[tuple[list[str], DictConfig]]) -> None:
        """Freeze all. sweep.yaml comes last: without it, the sweep has not begun."""
        for number, (own, job) in enumerate(jobs):
            self.freeze(number, own, job)
        shutil.copytree(CONF, self.folder / "conf", dirs_exist_ok=True)
        write_atomically(self.folder / "git.diff", git("diff", "HEAD"))
        about = {
            "command": shlex.join(["python", "-m", "proj.train", *sys.argv[1:]]),
            "overrides": list(config.hydra.overrides.task),
            "hydra": [word for word in config.hydra.overrides.hydra if not word.startswith("hydra.mode=")],
            "versions": {name: version(name) for name in PACKAGES},
            "commit": git("rev-parse", "HEAD").decode().strip() or None,
        }
        write_atomically(self.folder / "sweep.yaml", yaml.safe_dump(about, sort_keys=False).encode())

    def frozen_loader(self, loader: ConfigLoaderImpl) -> ConfigLoaderImpl:
        """`loader` with the sweep's copy in place of conf/."""
        path = copy.deepcopy(loader.get_search_path())
        for element in path.get_path():
            if element.path == f"file://{CONF}":
                element.path = f"file://{(self.folder / 'conf').resolve()}"
        return ConfigLoaderImpl(config_search_path=path)

    def freeze(self, number: int, own: list[str], config: DictConfig) -> str:
        """Keep a job's composed configuration; return the name of its folder: its number and its own settings."""
        name = f"{number}_" + re.sub(r"[^\w.=,+-]+", "_", ",".join(own))[:150]
        folder = self.folder / name.rstrip("_")
        folder.mkdir(parents=True, exist_ok=True)
        config.hydra.sweep.subdir = folder.name
        config.hydra.job.num = number
        write_atomically(folder / "job.yaml", OmegaConf.to_yaml(config).encode())
        self.composed[folder.name] = config
        return folder.name

    def jobs(self) -> list[str]:
        """The names of the jobs' folders, in order."""
        return sorted((path.parent.name for path in self.folder.glob("*/job.yaml")), key=lambda n: int(n.split("_")[0]))

    def job(self, name: str) -> dict:
        return yaml.load((self.folder / name / "job.yaml").read_bytes(), Loader)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        name = sweep_overrides[-1].removeprefix("hydra.sweep.subdir=")
        config = self.composed.pop(name, None)
        if config is None:
            config = OmegaConf.create(self.job(name))
            config.hydra = OmegaConf.merge(OmegaConf.structured(HydraConf, flags={"struct": False}), config.hydra)
        config.hydra.output_subdir = None  # job.yaml says it
        # A worker of Ray's may start elsewhere.
        config.hydra.sweep.dir, config.data_dir = (str(Path(p).absolute()) for p in (self.folder, config.data_dir))
        config.isolate = self.isolate
        if rank():  # of a job's tasks, one keeps the log
            config.hydra.job_logging.root.handlers = ["screen"]
        return config

    def overrides(self, name: str) -> list[str]:
        return self.job(name)["hydra"]["overrides"]["task"]

    def unfinished(self) -> list[str]:
        return [name for name in self.jobs() if status(self.folder / name)[0] not in ("finished", "pruned")]

    def end(self, failures: bool = True) -> None:
        """Print and write the report, and name the jobs without a result.

        Raises UserError if there are any, or none has a result. failures: whether a failed job counts as one.
        """
        from proj.report import report

        runs = [run for row in report([self.folder])["rows"] for run in row["runs"]]
        best = next((run for run in runs if run.status == "finished"), None)
        if best:
            again = shlex.join(["python", "-m", "proj.train", *plain(self.overrides(best.folder.name))])
            print(f"The best again: {again}")
        left = {name: status(self.folder / name) for name in self.unfinished()}
        if not left:
            return
        reasons = "".join(f"\n    {name}: {': '.join(filter(None, why))}" for name, why in left.items())
        sentence = f"{len(left)} of {len(self.jobs())} jobs have no result:{reasons}"
        if failures or not best or any(word != "failed" for word, _ in left.values()):
            raise UserError(f"{sentence}\n{self.how_to_continue}")
        print(sentence)

    @property
    def how_to_continue(self) -> str:
        return f"To continue the sweep: python -m proj.sweep resume={self.folder}"


def main() -> None:
    words = sys.argv[1:]
    folders = [Path(word.removeprefix("resume=")) for word in words if word.startswith("resume=")]
    if not folders:
        print(__doc__)
        raise SystemExit(0 if {"--help", "-h"} & set(words) else 1)
    with sentences():
        if not (folders[-1] / "sweep.yaml").is_file():
            raise UserError(f"{folders[-1]} is not the folder of a sweep: it has no sweep.yaml.")
    from proj.train import job

    about = yaml.safe_load((folders[-1] / "sweep.yaml").read_text())
    more = [word for word in words if not word.startswith("resume=")]
    sys.argv[1:] = ["-m", *about["overrides"], *about["hydra"], *more, f"hydra.sweep.dir={folders[-1]}"]
    conf = (folders[-1] / "conf").resolve()
    run_hydra(hydra.main(version_base="1.3", config_path=str(conf), config_name="train")(job.__wrapped__))


if __name__ == "__main__":
    main()
