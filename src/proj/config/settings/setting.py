"""`Setting`, the class of the lines of the table in `table.py` and `lightning.py`."""

from dataclasses import dataclass

from proj.config.settings import ranges


@dataclass(frozen=True)
class Setting:
    """What is known of a setting. `resume` and `report` also hold for the settings below it, unless these have another.

    range: the values that it may have; None if only its default value tells the type.
    resume: whether it may change when a run goes on: "fixed" (no), "free" (yes), or "scheduled" (no if the learning
    rate's schedule was laid out for the old value).
    report: how a report treats it: "apart" (runs that differ in it are other configurations), "first" (so too, and it
    is named before others that differ together with it), "seed" or "fold" (runs are averaged over it), or "never" (it
    changes no result).
    instead: for a setting that this program sets itself, what the user types instead.
    """

    range: ranges.Range | None = None
    resume: str | None = None
    report: str | None = None
    instead: str | None = None


def free(range: ranges.Range | None = None) -> Setting:
    """A setting that changes no result: where files lie, how often a run is saved, how it is shown and started."""
    return Setting(range, resume="free", report="never")


def reserved(instead: str, resume: str | None = None, report: str | None = None) -> Setting:
    """A setting that this program sets itself."""
    return Setting(None, resume, report, instead)


FOLDER = "the run's folder is hydra.run.dir=path/to/folder (a sweep's: hydra.sweep.dir=path/to/folder)"
