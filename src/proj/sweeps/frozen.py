"""The jobs of a sweep, each frozen: its whole configuration is in a file job.yaml in its folder, and no later change of
conf/ changes it."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from proj.config.new_folder import make_folder
from proj.config.stored_run import keep_inside
from proj.errors import UserError
from proj.sweeps.sweep_file import copies_all
from proj.sweeps.trust import check_job, without_hydra
from proj.system.files import write_atomically
from proj.system.locks import refuse_links
from proj.system.names import file_name
from proj.system.run_folder import RunFolder, SweepFolder, parse_yaml


@dataclass
class FrozenJobs:
    """The frozen jobs in the folder of a sweep.

    manifest: the content of sweep.yaml. names: the name of each job's folder, by the job's number.
    trust: what the folder may name besides this project's own classes; None if this command has begun the sweep.
    """

    folder: Path
    manifest: dict = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    trust: list[str] | None = None

    @property
    def files(self) -> SweepFolder:
        return SweepFolder(self.folder)

    def run_folder(self, name: str) -> RunFolder:
        """The folder of the job of this name."""
        return RunFolder(self.folder / name)

    def name_of(self, number: int, own: list[str], digits: int = 1) -> str:
        return file_name(f"{number:0{digits}}_{','.join(own)}")

    def freeze(self, number: int, own: list[str], config: DictConfig, digits: int = 1) -> str:
        """Write a job's composed configuration into its folder; return the folder's name.

        own: the overrides that the job does not share. digits: the length of its number in the name, with leading
        zeros, so that names sort as numbers do.
        """
        name = self.name_of(number, own, digits)
        if not (self.folder / name).exists():  # an older version may have given it another name
            name = self.names.get(number, name)
        make_folder(self.folder / name)
        if self.trust is not None:
            check_job(without_hydra(config), self.files.conf, self.trust)
        config.hydra.sweep.subdir = name
        config.hydra.job.num = number
        if copies_all(config):
            config.hydra.searchpath = []
        config.data_dir = self.find_data(config.data_dir)
        if "data_dir" in config.dataset and not OmegaConf.is_interpolation(config.dataset, "data_dir"):
            config.dataset.data_dir = os.path.abspath(os.path.expanduser(str(config.dataset.data_dir)))
        write_atomically(self.run_folder(name).job, OmegaConf.to_yaml(config))
        self.names[number] = name
        return name

    def find_data(self, path: str) -> str:
        """The folder of a job's data: that of all jobs, if sweep.yaml names one, or else `path`, the job's own.

        It is relative to the working directory in which the sweep began, or to the current one if the whole project
        has been moved.
        """
        begun = Path(self.manifest.get("cwd") or os.getcwd())
        place = begun / Path(self.manifest.get("data_dir") or path).expanduser()
        moved = not place.exists() and place.is_relative_to(begun) and place.relative_to(begun).exists()
        return str(place.relative_to(begun).absolute() if moved else place)

    def jobs(self) -> list[str]:
        """The names of the jobs' folders, in order of their numbers."""
        return [name for _, name in sorted(self.names.items())]

    def folders(self) -> list[Path]:
        """The jobs' folders that exist and hold a frozen job."""
        return [self.folder / name for name in self.jobs() if self.run_folder(name).job.is_file()]

    def job(self, name: str) -> dict:
        """The frozen configuration of a job; {} if it is missing or damaged."""
        try:
            job = parse_yaml(self.run_folder(name).job.read_bytes())
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        return job if isinstance(job, dict) and {"hydra", "dataset", "model", "trainer"} <= job.keys() else {}

    def checked_job(self, name: str) -> dict:
        """`job` for a job that is about to run. Raises UserError if it is missing, or names what it may not."""
        if not (job := self.job(name)):
            raise UserError(f"{self.run_folder(name).job} is missing or damaged. Resuming the sweep writes it again.")
        if self.trust is not None:
            refuse_links(self.folder / name)  # before its train.log is opened
            check_job(without_hydra(job), self.run_folder(name).job, self.trust)
            keep_inside(job, (self.folder / name).absolute(), self.run_folder(name).job, self.trust)
        return job

    def frozen_jobs(self) -> dict[int, str]:
        """The names of the folders with a frozen job, by the job's number, without those that `names` already has.
        A folder that was renamed is left out: it may be a copy."""
        found, known = {}, set(self.names.values())
        for run in self.files.jobs_frozen():
            if run.path.name in known:
                continue
            # Raised if the file is damaged, or another program's.
            with suppress(KeyError, TypeError, ValueError, OverflowError):
                hydra = self.job(run.path.name)["hydra"]
                if hydra["sweep"]["subdir"] == run.path.name:
                    found[int(hydra["job"]["num"])] = run.path.name
        return dict(sorted(found.items()))

    def find_jobs(self) -> list[str]:
        """Add to `names` the jobs that other processes have frozen meanwhile, and return their folders' names. Where
        sweep.yaml lists the jobs, there are none: another folder with a job.yaml is no job of the sweep."""
        found = {} if self.manifest.get("jobs") else self.frozen_jobs()
        self.names |= found
        return list(found.values())
