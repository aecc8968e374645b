"""The folder of a new run or sweep. It gets its name when the configuration is composed, and is made at the start."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from proj.errors import UserError
from proj.system.processes import broadcast_text
from proj.system.run_folder import RunFolder, SweepFolder, read_flat
from proj.system.shell import as_command
from proj.system.slurm import slurm_name
from proj.wording import agree, first_of

NAMED: set[str] = set()  # folders that this process has named by the time, and not made yet
# The values of each configuration that `configure` has composed in this process, by its run's folder.
TAKEN: dict[str, dict] = {}


def as_composed(cfg: DictConfig) -> dict | None:
    """The values that `configure` gave to `cfg`, or None if it was not composed in this process. A script may have set
    its folder since: then those of the latest configuration of the same options."""
    if cfg.output_dir in TAKEN:
        return TAKEN[cfg.output_dir]
    choices = "choices" in cfg and OmegaConf.to_container(cfg.choices)  # OmegaConf's own comparison copies each of them
    return next((values for values in [*TAKEN.values()][::-1] if values["choices"] == choices), None)


def new_folder(parent: str, name: str | None = None) -> str:
    """The value of `${new_folder:…}` in conf/: a folder in `parent` that does not exist yet, named by the time.

    With a name, it is the folder of that name, which may exist. In a Slurm job it is named by the job, with a number
    for the second and later ones of a process, so that it is the same when Slurm requeues the job. Makes no folder.
    """
    if name:
        return str(Path(parent, str(name)))  # a list or a mapping is refused later, by `check_ranges`
    if name := slurm_name():
        return next(one for one in numbered(str(Path(parent, name))) if one not in TAKEN)
    by_time = str(Path(parent, f"{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    folder = next(name for name in numbered(by_time) if name not in NAMED and not Path(name).exists())
    NAMED.add(folder)
    return folder


def numbered(folder: str) -> Iterator[str]:
    yield folder
    yield from (f"{folder}-{number}" for number in count(2))


def make_new_folder(folder: str) -> str:
    """Make a folder that `new_folder` has named by the time, and return it; any other folder is only returned.

    If two runs start in the same second, the second one gets a folder with a number, since the first folder exists.
    """
    if folder not in NAMED:
        return folder
    NAMED.remove(folder)

    def make() -> str:
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        for name in numbered(folder):
            with suppress(FileExistsError):
                Path(name).mkdir()
                return name

    return broadcast_text(make)


def make_folder(folder: Path, option: str = "hydra.sweep.dir") -> Path:
    """Make a folder and its parents; return it. option: the setting that names it. Raises UserError if a file is in the
    way, or its drive is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{error.filename} is a file where a folder is needed: move it away.") from error
    except FileNotFoundError as error:  # in /proc, and on a missing drive of Windows
        raise UserError(f"{error.filename} cannot be made: choose another folder, {option}=…") from error


def refuse_run_in_a_sweep(folder: str) -> None:
    """Raises UserError for a new run in a sweep's folder or directly below it, where it would be taken for a job."""
    for place in (Path(folder), Path(folder).parent):
        if SweepFolder(place).manifest.is_file():
            begun = RunFolder(folder).config.is_file()
            module, what, resumed = ("train", "job", folder) if begun else ("sweep", "sweep", str(place))
            goes_on = as_command(["python", "-m", f"proj.{module}", f"resume={resumed}"])
            raise UserError(
                f"{folder} is a sweep's folder or within one, where a new run would be taken for one of its jobs: "
                f"choose another folder, hydra.run.dir=path/to/folder. To continue the {what}: {goes_on}"
            )


def refuse_sweep_in_a_run(folder: str) -> None:
    """Raises UserError for a new sweep in the folder of a run, since the run could then not go on."""
    run = RunFolder(folder)
    if run.job.is_file() or "choices.dataset" in read_flat(run.config):
        raise UserError(
            f"{folder} is the folder of a run: choose another for the sweep, hydra.sweep.dir=path/to/folder"
        )


def files_to_replace(folder: RunFolder | SweepFolder) -> list[Path]:
    """The files that a run, or a sweep without a sweep.yaml, would replace in its folder; [] if a run has begun there.

    Checkpoints are left out: they are looked into before one is replaced.
    """
    if isinstance(folder, SweepFolder):
        # A sweep that was stopped while it began may have left git.diff, with folders of jobs or its conf/ beside it.
        stopped = folder.conf.is_dir() or folder.jobs_frozen()
        return [folder.study, folder.importance, *([] if stopped else [folder.uncommitted])]
    settings = (read_flat(file) for file in (folder.config, folder.composed))
    if folder.last.is_file() or folder.job.is_file() or any("choices.dataset" in words for words in settings):
        return []
    written = [folder.record, folder.metrics, folder.table, folder.columns, folder.entry, folder.fold]
    failed = read_flat(folder.failure).keys() == {"status", "reason"}  # a run in Python, before its config.yaml
    return written if failed else [*written, folder.failure]


def refuse_files_of_others(folder: RunFolder | SweepFolder) -> None:
    """Raises UserError if a new run or sweep would replace files in its folder that are not of a run or sweep."""
    if files := [file.name for file in files_to_replace(folder) if file.is_file()]:
        what, option = ("sweep", "hydra.sweep.dir") if isinstance(folder, SweepFolder) else ("run", "hydra.run.dir")
        it = agree(len(files), "it", "them")
        raise UserError(
            f"{folder.path} holds no {what} but {first_of(files, 5)}, and a {what} would replace {it}: move {it} away, "
            f"or choose another folder, {option}=path/to/folder."
        )


OmegaConf.register_new_resolver("new_folder", new_folder, use_cache=True, replace=True)
