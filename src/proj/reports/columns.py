"""Which settings are columns of a report's table: those in which runs differ, and that say something new."""

from typing import Any

from proj.config.words import short_names


def choose_columns(settings: list[dict[str, Any]], keys: list[str]) -> list[str]:
    """The settings in which runs differ, without those that say nothing new beside the others.

    Every choice that differs (dataset, model, …) is a column. Of the rest, three kinds say nothing new: what follows
    from the choices, as each model has widths of its own; a copy of a column, as OneCycleLR's max_lr is the
    optimizer's lr; and a class where the columns before it already tell the runs apart, as does the data's checksum
    where the choices and the settings of the data do.
    Two other settings that differ together both stay: in a random search, each rate would tell each dropout.
    """
    choices = [key for key in keys if key.startswith("choices.")]
    columns = [key for key in choices if varies(settings, key)]
    for key in keys:
        if key in choices or not varies(settings, key):
            continue
        if is_class(key):
            of_data = [column for column in columns if column.startswith(("choices.", "dataset."))]
            nothing_new = follows(settings, key, of_data if key == "data" else columns)
        else:
            copied = [column for column in columns if is_copy(settings, key, column)]
            nothing_new = follows(settings, key, choices)
            nothing_new = nothing_new or any(follows(settings, key, [*choices, column]) for column in copied)
        if not nothing_new:
            columns.append(key)
    return columns


def is_class(key: str) -> bool:
    """Whether a setting names a class, or is the data's checksum: both may follow from other settings."""
    return key.endswith(("_target_", "_partial_")) or key == "data"


def combinations(settings: list[dict[str, Any]], keys: list[str]) -> int:
    """How many different combinations of values the runs have in these settings."""
    return len({tuple(map(one.get, keys)) for one in settings})


def varies(settings: list[dict[str, Any]], key: str) -> bool:
    return combinations(settings, [key]) > 1


def follows(settings: list[dict[str, Any]], key: str, others: list[str]) -> bool:
    """Whether runs that agree in the other settings agree in this one, too."""
    return combinations(settings, others) == combinations(settings, [*others, key])


def is_copy(settings: list[dict[str, Any]], key: str, column: str) -> bool:
    """Whether every run that has this setting has the column's value in it."""
    return all(one.get(key) in (None, one.get(column)) for one in settings)


def names_of(columns: list[str]) -> list[str]:
    """`short_names`; a class keeps its whole name."""
    return [column if is_class(column) else short for column, short in short_names(columns).items()]
