"""What can be said of a setting, as the lines of the tables in `table.py` and `lightning.py` do."""

from dataclasses import dataclass

from proj.config.settings import ranges


@dataclass(frozen=True)
class Setting:
    """What is known of a setting. `resume` and `report` also hold for the settings below it that say nothing else.

    range: what its value may be; None where its default value tells the type.
    resume: when a run goes on, it is "fixed", "free" to change, or "scheduled", that is, fixed where the learning
    rate's schedule was laid out for it.
    report: it tells runs "apart"; is told "first", before others that tell the same; is a "seed" or a "fold", over
    which runs are averaged; or changes no result ("never").
    instead: what the user types instead, of a setting that this program sets itself.
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
