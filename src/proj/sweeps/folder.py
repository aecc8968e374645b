"""What a sweep keeps: its jobs as they were composed, and which of them have a result."""

import copy
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf

from proj.config.compose import literal
from proj.config.stored import TRUSTED
from proj.errors import UserError
from proj.sweeps.sweep_file import chosen_by, copy_conf, describe, git, make_folder, plain, read_about
from proj.sweeps.trust import check_files, check_job, sweep_trust, without_hydra
from proj.system.files import write_atomically
from proj.system.platform import as_command, file_name
from proj.system.processes import rank
from proj.system.run_folder import parse_yaml, status


@dataclass
class Sweep:
    """A sweep's folder. It is also the config loader that a launcher asks for a job's configuration.

    isolate: None leaves each job as it was frozen. about: what sweep.yaml says. names: of the jobs' folders, by number.
    trust: what the folder may name beside this project's; None for a sweep that began in this command.
    """

    folder: Path
    isolate: bool | None
    about: dict = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    composed: dict[str, DictConfig] = field(default_factory=dict)  # of jobs that wait, to spare reading them
    trust: list[str] | None = None

    def __getstate__(self) -> dict:
        return vars(self) | {"composed": {}}  # for another process

    def known(self, config: DictConfig) -> bool:
        """Whether it was begun before. Raises UserError if it was with another command, or its sweep.yaml is lost."""
        if not (self.folder / "sweep.yaml").exists():
            begun = [name for name in self.frozen_jobs().values() if not self.holds_job_yaml_alone(name)]
            if begun:
                raise UserError(
                    f"{self.folder} holds the job {begun[0]} of a sweep whose sweep.yaml is gone: put it back, or "
                    "choose another sweep_name."
                )
            return False
        self.about, self.trust = read_about(self.folder), list(TRUSTED)
        check_files(self.folder, self.about, self.trust)
        before = self.about["overrides"], self.about["hydra"]
        if chosen_by(*before) != chosen_by(config.hydra.overrides.task, config.hydra.overrides.hydra):
            raise UserError(
                f"{self.folder} holds another sweep ({as_command([*before[0], *before[1]])}). To continue it: "
                f"python -m proj.sweep resume={self.folder}; for a new one, choose another sweep_name."
            )
        listed = self.about.get("jobs")  # none of a search, which asks for them on its way, and in older sweeps
        self.names = dict(enumerate(listed)) if listed else self.frozen_jobs()
        if "cwd" not in self.about and self.names:
            self.about["cwd"] = self.job(next(iter(self.names.values())))["hydra"]["runtime"]["cwd"]
        return True

    def begin(
        self,
        config: DictConfig,
        loader: ConfigLoaderImpl,
        words: list[str],
        data_dir: str | None,
        jobs: list[tuple[list[str], DictConfig]],
    ) -> None:
        """Freeze all. sweep.yaml comes last: without it, the sweep has not begun.

        words: the settings of all jobs, fixed and swept. data_dir: None where each job has its own.
        """
        self.clear()
        listed = {self.freeze(number, own, job): own for number, (own, job) in enumerate(jobs)}
        copy_conf(loader, self.folder / "conf")
        write_atomically(self.folder / "git.diff", git("diff", "HEAD"))
        data_dir = data_dir and self.data_dir(data_dir)
        self.about = describe(config) | {"words": words, "cwd": os.getcwd(), "data_dir": data_dir, "jobs": listed}
        self.write_about()

    def clear(self) -> None:
        """Take away what a command that was stopped while it froze its jobs has left; it wrote nothing but job.yaml."""
        frozen = self.frozen_jobs().values()
        for folder in [path for path in self.folder.glob("[0-9]*_*") if path.is_dir()]:
            whole = (folder / "job.yaml").exists()
            if self.holds_job_yaml_alone(folder.name) and (folder.name in frozen or not whole):
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    def write_about(self) -> None:
        write_atomically(self.folder / "sweep.yaml", yaml.safe_dump(self.about, sort_keys=False).encode())

    def freeze(self, number: int, own: list[str], config: DictConfig) -> str:
        """Keep a job's composed configuration; return the name of its folder: its number and its own settings."""
        name = file_name(f"{number}_{','.join(own)}")
        if not (self.folder / name).exists():  # an older version may have named it otherwise
            name = self.names.get(number, name)
        make_folder(self.folder / name)
        if self.trust is not None:
            check_job(without_hydra(config), self.folder / "conf", self.trust)
        config.hydra.sweep.subdir = name
        config.hydra.job.num = number
        config.data_dir = self.data_dir(config.data_dir)
        write_atomically(self.folder / name / "job.yaml", OmegaConf.to_yaml(config).encode())
        self.composed[name] = config
        self.names[number] = name
        return name

    def data_dir(self, path: str) -> str:
        """Where the data lies: `path` from where the sweep began, or from here, where the project itself has moved."""
        begun = Path(self.about.get("cwd") or os.getcwd())
        place = begun / Path(self.about.get("data_dir") or path).expanduser()
        moved = not place.exists() and place.is_relative_to(begun) and place.relative_to(begun).exists()
        return str(place.relative_to(begun).absolute() if moved else place)

    def jobs(self) -> list[str]:
        """The names of the jobs' folders, in order."""
        return [name for _, name in sorted(self.names.items())]

    def job(self, name: str) -> dict:
        """What was frozen for a job; empty where it is gone or damaged."""
        try:
            job = parse_yaml((self.folder / name / "job.yaml").read_bytes())
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        return job if isinstance(job, dict) and {"hydra", "dataset", "model", "trainer"} <= job.keys() else {}

    def checked_job(self, name: str) -> dict:
        """What was frozen for a job that is about to run. Raises UserError if it names what it may not."""
        job = self.job(name)
        if self.trust is not None:
            check_job(without_hydra(job), self.folder / name / "job.yaml", self.trust)
        return job

    def frozen_jobs(self) -> dict[int, str]:
        """The names of the folders in which a job was frozen, by its number. A folder of another name is a copy."""
        found = {}
        for file in self.folder.glob("*/job.yaml"):
            with suppress(KeyError, TypeError):  # damaged, or another program's
                about = self.job(file.parent.name)["hydra"]
                if about["sweep"]["subdir"] == file.parent.name:
                    found[int(about["job"]["num"])] = file.parent.name
        return dict(sorted(found.items()))

    def holds_job_yaml_alone(self, name: str) -> bool:
        return all("job.yaml" in file.name for file in (self.folder / name).iterdir())

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        name = sweep_overrides[-1].removeprefix("hydra.sweep.subdir=")
        config = self.composed.pop(name, None)
        if config is None:
            job = self.checked_job(name)
            frozen = job.pop("hydra")
            config = OmegaConf.create(job)
            config.hydra = copy.deepcopy(master_config.hydra)  # how it is started, this command says
            for part, key in (("overrides", "task"), ("job", "num"), ("sweep", "subdir"), ("runtime", "choices")):
                OmegaConf.update(config.hydra, f"{part}.{key}", literal(frozen[part][key]), force_add=True)
        config.hydra.output_subdir = None  # job.yaml says it
        config.hydra.sweep.dir = str(self.folder.absolute())  # a worker of Ray's may start elsewhere
        config.data_dir = self.data_dir(config.data_dir)
        if self.isolate is not None:
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
        from proj.reports.report import report

        folders = [self.folder / name for name in self.jobs()]
        folders = [folder for folder in folders if (folder / "job.yaml").is_file()]
        rows = report(folders, self.folder, str(self.folder))["rows"] if folders else []
        best = next(
            (run for row in rows for run in row["runs"] if run.status == "finished" and run.folder in folders), None
        )
        if best:
            again = as_command(["python", "-m", "proj.train", *plain(self.overrides(best.folder.name))])
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
        jobs = [self.job(name) for name in self.unfinished()]
        return f"To continue the sweep: python -m proj.sweep resume={self.folder}{sweep_trust(jobs)}"
