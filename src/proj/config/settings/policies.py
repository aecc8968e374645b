"""What holds for a setting, by its own line in the table of settings or by those of the settings above it."""

from functools import cache
from itertools import accumulate

from proj.config.settings.table import SETTINGS, Setting

OTHERS = Setting(resume="fixed", report="apart")  # such as an argument of a model of one's own


def with_above(key: str) -> list[str]:
    """A setting and those above it, from the top: trainer, trainer.precision."""
    return list(accumulate(key.split("."), "{}.{}".format))


@cache
def policy(key: str) -> Setting:
    """What is known of a setting, by its own line or, for `resume` and `report`, by the nearest one above it."""
    nearest_first = [SETTINGS[name] for name in reversed(with_above(key)) if name in SETTINGS]
    itself = SETTINGS.get(key, OTHERS)
    resume = next((line.resume for line in nearest_first if line.resume), OTHERS.resume)
    report = next((line.report for line in nearest_first if line.report), OTHERS.report)
    return Setting(itself.range, resume, report, itself.instead)


@cache
def below(place: str) -> dict[str, Setting]:
    """The settings that the table has directly below one, such as trainer, by their names there."""
    start = len(place) + 1
    return {key[start:]: one for key, one in SETTINGS.items() if key.startswith(f"{place}.") and "." not in key[start:]}


def refusal(key: str) -> str:
    """The sentence for a setting that the program sets itself."""
    return f"{key} is set by this program: {SETTINGS[key].instead}."
