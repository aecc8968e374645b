"""Continue a sweep: python -m proj.sweep resume=<folder> key=value …

  resume=<folder>           the sweep's folder, such as outputs/sweeps/rates
  isolate=true              run each job in a process of its own; false: do not
  seeds=+6                  six more seeds for the best row and those that
                            cannot be told from it (rows=all: for all rows);
                            9: nine in all. If it is stopped, the same command
                            continues, and adds no more until all have finished
  log=full                  show all that the jobs print; line: a line a job
  data_dir=<path>           where the data is now, if it has moved
  hydra.sweeper.n_trials=…  of a search: 100 makes it a hundred in all
  hydra.sweeper.n_jobs=…    of a search: trials side by side
  hydra/launcher=…          where the jobs run, and any of hydra.launcher
  trust=<module>            the module of your own classes that it uses

Finished jobs are never run again, stopped ones continue from their last
checkpoint, failed ones are tried again, and those whose folder was deleted
start anew. All jobs have the configuration that was frozen before the first one
started, in the job's folder (job.yaml): later edits of conf/ change none.
"""

import glob
import os
import sys
from pathlib import Path

import hydra

from proj.config.allowed_classes import TRUSTED
from proj.config.command_line import run_hydra, take, words_or_help
from proj.config.explain import sentences
from proj.config.quoting import as_text
from proj.config.settings.table import policy, refusal
from proj.errors import UserError, choose, nearest
from proj.sweeps.folder import Sweep
from proj.sweeps.seeds import ask_for_seeds
from proj.sweeps.sweep_file import chooses_jobs, read_manifest
from proj.sweeps.trust import check_sweep
from proj.system.folders import absolute, paths_in
from proj.system.locks import locked
from proj.system.ranks import check_environment
from proj.system.run_folder import SweepFolder
from proj.system.shell import as_command

# The words that a sweep takes when it goes on: the command's own options, further settings, and the beginnings of
# Hydra's settings.
OPTIONS = {"resume": Path, "log": ("line", "full"), "data_dir": Path, "trust": list}
OPTIONS |= {"seeds": str, "rows": ("doubtful", "all")}
OF_A_GRID = ("seeds", "rows")  # which a search does not take
OF_A_SEARCH = ("hydra.sweeper.n_trials", "hydra.sweeper.n_jobs")
WORDS = (*OPTIONS, *OF_A_SEARCH, "isolate", "hydra/launcher")
OF_HYDRA = ("hydra.launcher.", "hydra.job.", "hydra.job_logging.", "hydra.hydra_logging.", "hydra.verbose")


def refuse(word: str, folder: Path, is_search: bool) -> None:
    """Raises UserError for a word that the sweep (or search) in `folder` does not take when it goes on."""
    key, equals, value = word.lstrip("+~").partition("=")
    unfit = OF_A_GRID if is_search else OF_A_SEARCH
    words = [option for option in WORDS if option not in unfit]
    if word.startswith(("--config", "-c")):
        raise UserError(f"{folder} has a copy of all options that its jobs take: leave {word} out.")
    if word.startswith("-") or not equals:
        raise UserError(f"{word!r} is not of the form key=value." + nearest(key, words))
    if policy(key).instead:
        raise UserError(refusal(key))
    if key in OPTIONS:
        raise UserError(f"{word} takes no + or ~: type {word.lstrip('+~')}")
    if key == "isolate":
        choose(key, value.lower(), {"true": True, "false": False})
    elif key in OF_A_SEARCH and not is_search:
        raise UserError(
            f"{word} works only in a search, and {folder} is a sweep, whose jobs are fixed: leave it out "
            "(seeds=+6 adds seeds to its rows)."
        )
    elif chooses_jobs(word) or (key not in words and not key.startswith(OF_HYDRA)):
        its_own = "hydra.sweeper.n_trials=…" if is_search else "seeds=…"
        raise UserError(
            f"{word} would change the jobs of {folder}: begin a new sweep. A resumed one takes {its_own}, isolate=…, "
            f"log=…, data_dir=… and hydra/launcher=….{nearest(key, words)}"
        )


def place_of_data(named: str) -> str:
    """The absolute path, or paths, at which data_dir=… says that the data lies now.

    named: a folder, a file, a pattern, or several of these, see `one_path_or_several`.
    Raises UserError where there is nothing at one of them.
    """
    if missing := [place for place in paths_in(named) if not (os.path.exists(place) or glob.glob(place))]:
        raise UserError(f"there is no {missing[0]}: give the new place of the data, data_dir=…")
    return absolute(named)


def main() -> None:
    more = words_or_help(__doc__)
    with sentences():
        check_environment()
        chosen = take(OPTIONS, more)
        if (folder := chosen.get("resume")) is None:
            named = [as_command([f"resume={word}"]) for word in more if SweepFolder(Path(word)).manifest.is_file()]
            spaces = ", without spaces around the =" if "=" in more else ""
            raise UserError(
                f"name the sweep to resume{spaces}: python -m proj.sweep {(named or ['resume=<folder>'])[0]}"
            )
        TRUSTED[:] = chosen.get("trust", [])
        manifest = read_manifest(folder)
        is_search = "n_trials" in check_sweep(folder, manifest, TRUSTED).sweeper
        ask_for_seeds(chosen.get("seeds"), chosen.get("rows"), folder, is_search)
        for word in more:
            refuse(word, folder, is_search)
        if shown := chosen.get("log"):
            more.append(f"++log={shown}")  # with ++, since the copied conf/ of an older version has no `log`
        if moved := chosen.get("data_dir"):
            if manifest.get("data_dir", "") is None:
                raise UserError(f"each job of {folder} has a data_dir of its own: put the data back where it was.")
            manifest |= {"data_dir": place_of_data(moved), "data_moved": True}
            with locked(folder):
                Sweep(folder, manifest).write_manifest()
    from proj.train import job

    # The copied conf/ of an older version names the class of the checks by the module in which it was then.
    more += ["hydra.callbacks.check._target_=proj.config.check.Check", f"hydra.sweep.dir={as_text(folder.as_posix())}"]
    sys.argv[1:] = ["-m", *manifest["overrides"], *manifest["hydra"], *more]
    conf = SweepFolder(folder).conf.resolve()
    name = manifest.get("config_name", "train")
    run_hydra(hydra.main(version_base="1.3", config_path=str(conf), config_name=name)(job.__wrapped__))


if __name__ == "__main__":
    main()
