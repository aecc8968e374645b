"""The folder of a sweep: the configurations with which its jobs were frozen, and which of them have a result."""

import os
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from proj.config.new_folder import make_folder
from proj.config.own_code import changed_code
from proj.config.stored import TRUSTED
from proj.config.words import key_of
from proj.errors import UserError
from proj.sweeps.sweep_file import asks_for, copies_all, copy_conf, describe, git, read_manifest
from proj.sweeps.swept import how_to_continue
from proj.sweeps.trust import check_files, check_job, resume_command, without_hydra
from proj.system.files import write_atomically
from proj.system.locks import refuse_links
from proj.system.names import file_name
from proj.system.run_folder import RunFolder, SweepFolder, parse_yaml


@dataclass
class Sweep:
    """The folder of a sweep, and the jobs in it.

    manifest: the content of sweep.yaml. names: the name of each job's folder, by the job's number.
    trust: what the folder may name besides this project's own classes; None if this command has begun the sweep.
    asked: the options seeds=… and rows=… of the command.
    """

    folder: Path
    manifest: dict = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    trust: list[str] | None = None
    asked: list[str] = field(default_factory=list)

    def __getstate__(self) -> dict:
        """Pickles an absolute folder, since a launcher may start the process that unpickles it elsewhere."""
        return vars(self) | {"folder": self.folder.absolute()}

    @property
    def files(self) -> SweepFolder:
        return SweepFolder(self.folder)

    def run(self, name: str) -> RunFolder:
        """The folder of the job of this name."""
        return RunFolder(self.folder / name)

    def was_begun(self, config: DictConfig) -> bool:
        """Whether the folder holds a sweep that was begun before; then read it.
        Raises UserError if that sweep is another than `config` asks for, or if its sweep.yaml is lost."""
        if not self.files.manifest.exists():
            begun = [name for name in self.frozen_jobs().values() if not self.holds_its_job_alone(name)]
            if begun:
                raise UserError(
                    f"{self.folder} holds the job {begun[0]} of a sweep whose sweep.yaml is gone: put it back, or "
                    "choose another sweep_name or hydra.sweep.dir."
                )
            return False
        self.manifest, self.trust = read_manifest(self.folder), list(TRUSTED)
        check_files(self.folder, self.manifest, self.trust)
        if not asks_for(config, self.manifest):
            resume = self.resume_command(list(self.frozen_jobs().values()))
            raise UserError(how_to_continue(self.folder, self.manifest, config, resume))
        # The manifest of a search lists no jobs, since they are not known in advance; an old sweep's does not either.
        listed = self.manifest.get("jobs")
        self.names = dict(enumerate(listed)) if listed else self.names | self.frozen_jobs()
        if "cwd" not in self.manifest and self.names:
            self.manifest["cwd"] = self.job(next(iter(self.names.values())))["hydra"]["runtime"]["cwd"]
        return True

    def begin(
        self,
        config: DictConfig,
        words: list[str],
        data_dir: str | None,
        jobs: list[tuple[list[str], DictConfig]],
        code: dict[str, str],
    ) -> None:
        """Freeze all jobs. sweep.yaml is written last: without it, the sweep counts as not begun.

        words: the overrides of all jobs, fixed and swept. data_dir: None if each job has its own. code: see `own_code`.
        jobs: for each, the overrides that it does not share, and its whole configuration.
        Raises UserError if the folder has a conf/ of the user's own.
        """
        if self.files.conf.exists() and not self.files.uncommitted.exists():  # not a sweep's copy
            raise UserError(
                f"{self.files.conf} already exists, where a sweep keeps its copy of all options: choose another "
                "folder, hydra.sweep.dir=path/to/folder."
            )
        self.clear()
        digits = len(str(len(jobs) - 1))
        listed = {self.freeze(number, own, job, digits): own for number, (own, job) in enumerate(jobs)}
        write_atomically(self.files.uncommitted, git("diff", "HEAD"))
        copy_conf(config, self.files.conf, [*config.hydra.runtime.choices, *map(key_of, words)])
        data_dir = data_dir and self.data_dir(data_dir)
        self.manifest = {"name": self.folder.name} | describe(config)
        self.manifest |= {"words": words, "cwd": os.getcwd(), "data_dir": data_dir, "code": code, "jobs": listed}
        self.write_manifest()

    def clear(self) -> None:
        """Delete the folders that hold nothing but job.yaml, left by a command that was stopped while it froze jobs."""
        frozen = self.frozen_jobs().values()
        for folder in [path for path in self.folder.glob("[0-9]*_*") if path.is_dir()]:
            whole = RunFolder(folder).job.exists()
            if self.holds_its_job_alone(folder.name) and (folder.name in frozen or not whole):
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    def resume_command(self, names: list[str]) -> str:
        """The command that resumes the sweep for the jobs of these names."""
        return resume_command(self.folder, self.manifest, [self.job(name) for name in names], self.trust or [])

    def refuse_changed_code(self, imported: Container[str] = ()) -> None:
        """Raises UserError if a Python file of the user has changed since the sweep began, unless `trust` names it.
        imported: modules that are already imported, so that changes to their files have no effect."""
        trust = self.trust or []
        if refused := [path for path in changed_code(self.manifest.get("code") or {}, imported) if path not in trust]:
            raise UserError(
                f"{', '.join(refused)} changed since {self.folder} began: put back what was there, begin a new sweep, "
                f"or add trust={','.join(sorted({*trust, *refused}))} to continue with the files as they are now."
            )

    def write_manifest(self) -> None:
        write_atomically(self.files.manifest, yaml.safe_dump(self.manifest, sort_keys=False))

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
        config.data_dir = self.data_dir(config.data_dir)
        if "data_dir" in config.dataset and not OmegaConf.is_interpolation(config.dataset, "data_dir"):
            config.dataset.data_dir = os.path.abspath(os.path.expanduser(str(config.dataset.data_dir)))
        write_atomically(self.run(name).job, OmegaConf.to_yaml(config))
        self.names[number] = name
        return name

    def data_dir(self, path: str) -> str:
        """The folder of the data: `path` relative to the working directory in which the sweep began, or to the current
        one if the whole project has been moved."""
        begun = Path(self.manifest.get("cwd") or os.getcwd())
        place = begun / Path(self.manifest.get("data_dir") or path).expanduser()
        moved = not place.exists() and place.is_relative_to(begun) and place.relative_to(begun).exists()
        return str(place.relative_to(begun).absolute() if moved else place)

    def jobs(self) -> list[str]:
        """The names of the jobs' folders, in order of their numbers."""
        return [name for _, name in sorted(self.names.items())]

    def folders(self) -> list[Path]:
        """The jobs' folders that exist and hold a frozen job."""
        return [self.folder / name for name in self.jobs() if self.run(name).job.is_file()]

    def job(self, name: str) -> dict:
        """The frozen configuration of a job; {} if it is missing or damaged."""
        try:
            job = parse_yaml(self.run(name).job.read_bytes())
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        return job if isinstance(job, dict) and {"hydra", "dataset", "model", "trainer"} <= job.keys() else {}

    def checked_job(self, name: str) -> dict:
        """`job` for a job that is about to run. Raises UserError if it is missing, or names what it may not."""
        if not (job := self.job(name)):
            raise UserError(f"{self.run(name).job} is missing or damaged. Resuming the sweep writes it again.")
        if self.trust is not None:
            refuse_links(self.folder / name)  # before its train.log is opened
            check_job(without_hydra(job), self.run(name).job, self.trust)
        return job

    def frozen_jobs(self) -> dict[int, str]:
        """The names of the folders with a frozen job, by the job's number, without those that `names` already has.
        A folder that was renamed is left out: it may be a copy."""
        found, known = {}, set(self.names.values())
        for run in self.files.jobs_frozen():
            if run.path.name in known:
                continue
            with suppress(KeyError, TypeError):  # raised if the file is damaged, or another program's
                hydra = self.job(run.path.name)["hydra"]
                if hydra["sweep"]["subdir"] == run.path.name:
                    found[int(hydra["job"]["num"])] = run.path.name
        return dict(sorted(found.items()))

    def find_jobs(self) -> list[str]:
        """Add to `names` the jobs that other processes have frozen meanwhile, and return their folders' names."""
        found = self.frozen_jobs()
        self.names |= found
        return list(found.values())

    def holds_its_job_alone(self, name: str) -> bool:
        """Whether the folder holds nothing but job.yaml, complete or half written."""
        run = self.run(name)
        return all(run.job.name in file.name for file in run.path.iterdir())

    def unfinished(self) -> list[str]:
        """The names of the jobs that have to run, or run again: they have no result and were not pruned."""
        return [name for name in self.jobs() if self.run(name).status()[0] not in ("finished", "pruned")]
