"""Adds seeds to a sweep whose rows do not differ significantly yet: python -m proj.sweep resume=<folder> seeds=+6

The new jobs are added to the list in sweep.yaml, all at once. Then they are composed from the sweep's own copy of conf/
and run, like any listed job without a folder. So a sweep that is killed at any moment resumes with the same jobs.
"""

import re
from itertools import chain, count, islice
from pathlib import Path

from proj.config.words import key_of
from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.swept import with_changes
from proj.system.ranks import say
from proj.system.run_folder import RunFolder
from proj.wording import how_many

ASKED: list[str] = []  # seeds=… and rows=… of the command, such as ["+6", "doubtful"], until the sweeper reads them
SEEDS = 2**32  # the number of different seeds


def ask_for_seeds(seeds: str | None, rows: str | None, folder: Path, is_search: bool) -> None:
    """Set ASKED for the sweep in `folder`, which is about to be resumed.
    Raises UserError for an invalid number of seeds, and for a search."""
    ASKED[:] = [seeds, rows or "doubtful"] if seeds is not None else []
    if (seeds or rows) and is_search:
        raise UserError(
            f"{folder} is a search, whose trials have one seed each: to be sure of the best, begin a sweep with the "
            "words that the search printed at its end, python -m proj.train -m … seed=0,1,2,3,4,5"
        )
    if seeds is None and rows is not None:
        raise UserError(f"rows={rows} says which rows get more seeds: also give their number, such as seeds=+6.")
    if seeds is not None and not re.fullmatch(r"\+?[1-9]\d{0,4}", seeds):
        raise UserError(
            f"seeds={seeds} is no number of seeds: seeds=+6 adds six to each row, seeds=9 makes nine in all."
        )


def add_seeds(sweep: Sweep, shared: list[str], again: bool = False) -> bool:
    """Add the jobs that the command asks for to the list in sweep.yaml; return whether there are any.

    shared: the overrides that all jobs have. What was asked for stays in sweep.yaml until all jobs are finished and
    have been reported, or until those that failed have failed again, so that the same command, typed again, does not
    add seeds twice. again: whether it has added them before.
    """
    all_ended = all(sweep.run_folder(name).status()[0] == "failed" for name in sweep.unfinished())
    if again and all_ended:
        sweep.forget_seeds()
    if again or not sweep.asked or not all_ended:
        return False  # the launcher failed: rows can be compared only after all of their jobs have ended
    listed = sweep.manifest.get("jobs") or {  # an older version did not list them
        name: [word for word in sweep.job(name)["hydra"]["overrides"]["task"] if word not in shared]
        for name in sweep.jobs()
    }
    new = new_jobs(taken := seeds_of_rows(sweep, listed), sweep.asked[0])
    jobs = {sweep.name_of(number, own): own for number, own in enumerate(new, len(listed))}
    if not jobs:
        if taken:
            say(f"none is added, since each has as many already: seeds=+{sweep.asked[0]} adds that number")
        return False
    sweep.manifest |= {"jobs": listed | jobs, "more_seeds": sweep.asked}
    sweep.write_manifest()
    return True


def seeds_of_rows(sweep: Sweep, listed: dict[str, list[str]]) -> dict[tuple[str, ...], set[int]]:
    """The seeds of the rows that are to get more, by the overrides of their jobs, in which `seed=` has no value.

    listed: the overrides of each job that it does not share. A row may have jobs with several such overrides, such as
    one for each fold.
    """
    from proj.reports.compare import compare  # here, since Hydra imports the sweepers at every start
    from proj.reports.conclusions import conclude, in_doubt, name_of
    from proj.reports.runs import find_runs

    comparison = conclude(compare(find_runs(sweep.folders())))
    rows = comparison["rows"] if sweep.asked[1] == "all" else in_doubt(comparison)
    names = [name_of(comparison, row) for row in rows]
    others = f" and {how_many(len(names) - 3, 'more row')}" if len(names) > 3 else ""
    none = "no seeds are added, since the best row differs significantly from all others: rows=all adds them to all"
    say(f"seeds={sweep.asked[0]} for {', '.join(names[:3])}{others}" if rows else none)
    found: dict[tuple[str, ...], set[int]] = {}
    for run in chain.from_iterable(row["runs"] for row in rows):
        if "seed" not in run.config or run.repeats:
            continue
        words = with_changes(listed[run.folder.name], RunFolder(run.folder))
        own = ["seed=" if is_seed(word) else word for word in words]
        own = own if "seed=" in own else [*own, "seed="]
        found.setdefault(tuple(own), set()).add(run.config["seed"])
    return found


def is_seed(word: str) -> bool:
    return key_of(word) == "seed"


def new_jobs(taken: dict[tuple[str, ...], set[int]], asked: str) -> list[list[str]]:
    """The overrides of each new job. taken: see `seeds_of_rows`. asked: such as +6 for six more, or 9 for nine in all.
    Each row gets the next seeds that it does not have, in the same order: first those of other rows, so that the rows
    form pairs with the same seeds, then the numbers above the highest seed."""
    known = sorted(set().union(*taken.values()))
    jobs = []
    for own, seeds in taken.items():
        number = int(asked) - (0 if asked.startswith("+") else len(seeds))
        above = (seed % SEEDS for seed in count(known[-1] + 1))
        fresh = (seed for seed in chain(known, above) if seed not in seeds)
        for place, seed in enumerate(islice(fresh, max(number, 0))):
            jobs.append((place, [f"seed={seed}" if word == "seed=" else word for word in own]))
    jobs.sort(key=lambda job: job[0])  # all rows get a seed before any gets the next one
    return [own for _, own in jobs]
