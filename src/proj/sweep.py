"""Continue a sweep: python -m proj.sweep resume=<folder> key=value …

  resume=<folder>           what the sweep's end named: outputs/sweeps/rates
  isolate=true              each job in a process of its own; false: not
  data_dir=<path>           where the data lies now, if it has moved
  hydra.sweeper.n_trials=…  of a search: 100 makes it a hundred in all
  hydra/launcher=…          where the jobs run, and any of hydra.launcher
  trust=<module>            of classes of your own that the sweep names

Finished jobs are never run again, stopped ones continue from their last
checkpoint, failed ones are tried again, those whose folder was deleted begin
anew. Before a sweep's first job started, every job's configuration was
composed, checked and frozen in the job's folder (job.yaml), with the command,
the versions of packages, the commit and the uncommitted changes beside them.
"""

import sys
from pathlib import Path

import hydra

from proj.config.explain import sentences
from proj.config.hydra_command import run_hydra
from proj.config.stored import take_trust
from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.sweep_file import chooses_jobs, read_about
from proj.sweeps.trust import check_sweep
from proj.system.locks import locked
from proj.system.platform import printable_output

CONTINUES = ("isolate=", "data_dir=", "hydra.", "hydra/", "-")  # what a sweep that goes on takes


def main() -> None:
    printable_output()
    trust = take_trust(sys.argv)
    words = sys.argv[1:]
    folders = [Path(word.removeprefix("resume=")) for word in words if word.startswith("resume=")]
    if not folders:
        print(__doc__)
        raise SystemExit(0 if {"--help", "-h"} & set(words) else 1)
    folder = folders[-1]
    more = [word for word in words if not word.startswith("resume=")]
    with sentences():
        about = read_about(folder)
        check_sweep(folder, about, trust)
        for word in more:
            if not word.startswith(CONTINUES) or chooses_jobs(word):
                raise UserError(
                    f"{word} would change the jobs of {folder}, which goes on as it began (with isolate=…, data_dir=…, "
                    "hydra.sweeper.n_trials=… or hydra/launcher=…): begin a new sweep."
                )
        if moved := [word.removeprefix("data_dir=") for word in more if word.startswith("data_dir=")]:
            if about.get("data_dir", "") is None:
                raise UserError(f"each job of {folder} has a data_dir of its own: put the data back where it was.")
            about["data_dir"] = str(Path(moved[-1]).expanduser().absolute())
            with locked(folder):
                Sweep(folder, about).write_about()
    from proj.train import job

    more = [word for word in more if not word.startswith("data_dir=")]
    name = folder.as_posix().replace("'", "\\'")  # quoted, since Hydra takes a comma for a choice
    # Older versions of the copied conf/ name the check where it was then.
    more += ["hydra.callbacks.check._target_=proj.config.check.Check", f"hydra.sweep.dir='{name}'"]
    sys.argv[1:] = ["-m", *about["overrides"], *about["hydra"], *more]
    conf = (folder / "conf").resolve()
    run_hydra(hydra.main(version_base="1.3", config_path=str(conf), config_name="train")(job.__wrapped__))


if __name__ == "__main__":
    main()
