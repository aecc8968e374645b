"""The folder of a sweep: begins it, reads one that was begun before, and says which of its jobs have to run."""

import os
import re
from collections.abc import Container
from contextlib import ExitStack
from dataclasses import dataclass, field

import yaml
from omegaconf import DictConfig, OmegaConf

from proj.config.allowed_classes import TRUSTED, needs_trust, trust_option
from proj.config.new_folder import refuse_files_of_others
from proj.config.own_code import changed_code
from proj.config.words import key_of
from proj.errors import UserError
from proj.reports.replaced import refuse_other_reports
from proj.sweeps.frozen import FrozenJobs
from proj.sweeps.sweep_file import asks_for, copy_conf, describe, git, read_manifest
from proj.sweeps.swept import holds_another_sweep
from proj.sweeps.trust import check_files, differences, without_hydra
from proj.system.files import write_atomically
from proj.system.run_folder import RunFolder
from proj.system.shell import as_command


@dataclass
class Sweep(FrozenJobs):
    """The folder of a sweep: its jobs, see `FrozenJobs`, and whether it was begun before.

    asked: the options seeds=… and rows=… of the command.
    """

    asked: list[str] = field(default_factory=list)

    def __getstate__(self) -> dict:
        """Pickles an absolute folder, since a launcher may start the process that unpickles it elsewhere."""
        return vars(self) | {"folder": self.folder.absolute()}

    def read_if_begun(self, config: DictConfig) -> bool:
        """Whether the folder holds a sweep that was begun before; then read it.
        Raises UserError if that sweep is another than `config` asks for, or if its sweep.yaml is lost; and where a new
        sweep would replace files that are not of a sweep or a report."""
        if not self.files.manifest.exists():
            begun = [name for name in self.frozen_jobs().values() if not self.holds_its_job_alone(name)]
            if begun:
                raise UserError(
                    f"{self.folder} holds the job {begun[0]} of a sweep whose sweep.yaml is gone: put it back, or "
                    "choose another sweep_name or hydra.sweep.dir."
                )
            refuse_files_of_others(self.files)
            refuse_other_reports(self.folder)
            return False
        self.manifest, self.trust = read_manifest(self.folder), list(TRUSTED)
        check_files(self.folder, self.manifest, self.trust)
        if not asks_for(config, self.manifest):
            resume = self.resume_command(list(self.frozen_jobs().values()))
            raise UserError(holds_another_sweep(self.folder, self.manifest, config, resume))
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
        with ExitStack() as unless_done:
            unless_done.callback(self.clear)  # after Ctrl-C, say
            digits = len(str(len(jobs) - 1))
            listed = {self.freeze(number, own, job, digits): own for number, (own, job) in enumerate(jobs)}
            write_atomically(self.files.uncommitted, git("diff", "HEAD"))
            copy_conf(config, self.files.conf, [*config.hydra.runtime.choices, *map(key_of, words)])
            data_dir = data_dir and self.find_data(data_dir)
            self.manifest = {"name": self.folder.name} | describe(config)
            self.manifest |= {"words": words, "cwd": os.getcwd(), "data_dir": data_dir, "code": code, "jobs": listed}
            self.write_manifest()
            unless_done.pop_all()

    def clear(self) -> None:
        """Delete the folders that hold nothing but job.yaml, left by a command that was stopped while it froze jobs."""
        self.names.clear()
        frozen = self.frozen_jobs().values()
        for folder in [path for path in self.folder.glob("[0-9]*_*") if path.is_dir()]:
            whole = RunFolder(folder).job.exists()  # of the sweep, if it is one of `frozen`; or else the user's own
            if self.holds_its_job_alone(folder.name) and (folder.name in frozen or not whole):
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    def resume_command(self, names: list[str]) -> str:
        """The command that resumes the sweep, with all that the jobs of these names have to trust. Of what the current
        command trusts, it repeats the user's own files that have changed since the sweep began."""
        jobs = [job for name in names if (job := self.job(name))]  # without those that are damaged
        words = set().union(*(needs_trust(without_hydra(job)) for job in jobs))
        if jobs:  # Hydra's part is the same for all jobs
            words.update(differences(OmegaConf.create(jobs[0]["hydra"])))
        words.update({*changed_code(self.manifest.get("code") or {})} & {*(self.trust or ())})
        return f"{as_command(['python', '-m', 'proj.sweep', f'resume={self.folder}'])}{trust_option(words)}"

    def refuse_changed_code(self, imported: Container[str] = ()) -> None:
        """Raises UserError if a Python file of the user has changed since the sweep began, unless `trust` names it.
        imported: modules that are already imported, so that changes to their files have no effect."""
        trust = self.trust or []
        if refused := [path for path in changed_code(self.manifest.get("code") or {}, imported) if path not in trust]:
            raise UserError(
                f"{', '.join(refused)} changed since {self.folder} began: put back what was there, begin a new sweep, "
                f"or add trust={','.join(sorted({*trust, *refused}))} to continue with the files as they are now."
            )

    def forget_seeds(self) -> None:
        """Note that the jobs of more seeds have ended, so that the same seeds=… adds others."""
        if self.manifest.pop("more_seeds", None):
            self.write_manifest()

    def write_manifest(self) -> None:
        write_atomically(self.files.manifest, yaml.safe_dump(self.manifest, sort_keys=False))

    def holds_its_job_alone(self, name: str) -> bool:
        """Whether the folder holds job.yaml, complete or half written by `whole_file`, and nothing else; or nothing
        yet, if it has the name of a job, such as 3_seed=4: an empty folder of another name is the user's."""
        run = self.run_folder(name)
        files, half = [file.name for file in run.path.iterdir()], rf"{re.escape(run.job.name)}(\.[0-9a-f]{{8}}\.tmp)?"
        return all(re.fullmatch(half, file) for file in files) and (bool(files) or "=" in name)

    def unfinished(self) -> list[str]:
        """The names of the jobs that have to run, or run again: they have no result and were not pruned."""
        return [name for name in self.jobs() if self.run_folder(name).status()[0] not in ("finished", "pruned")]
