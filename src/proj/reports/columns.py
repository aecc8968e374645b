"""Chooses the settings that become columns of a report's table: those that differ and that add information."""

import re
from collections.abc import Collection, Mapping
from typing import Any

CALLBACK = re.compile(r"callbacks\.(.+)\._target_")


def choose_columns(settings: list[dict[str, Any]], keys: list[str], typed: Collection[str] = ()) -> list[str]:
    """The settings in which runs differ, without those that follow from others.

    settings: of each run. keys: the settings in the order in which they are considered. typed: those that a run's
    command named, which do not follow from a choice, such as that of the model, even if they differ with it.
    Every choice that differs (dataset, model, …) is a column; any other setting is one unless it `says_nothing_new`.
    So settings stay that always differ together: each rate of a random search has its own dropout.
    """
    choices = [key for key in keys if key.startswith("choices.")]
    columns = [key for key in choices if varies(settings, key)]
    for key in keys:
        if key not in choices and varies(settings, key):
            chosen = [] if key in typed else choices
            if not says_nothing_new(settings, key, columns, chosen):
                columns.append(key)
    return columns


def says_nothing_new(settings: list[dict[str, Any]], key: str, columns: list[str], choices: list[str]) -> bool:
    """Whether a setting, in which runs differ, follows from the columns that there are already."""
    if callback := CALLBACK.fullmatch(key):  # a callback's class follows from the callback's other settings
        return follows(settings, key, [column for column in columns if column.startswith(f"callbacks.{callback[1]}.")])
    if key == "data":  # the checksum of the data
        return follows(settings, key, [column for column in columns if column.startswith(("choices.", "dataset."))])
    if key == "code":  # the checksum of the user's own Python files, which follows from their classes
        return follows(settings, key, own_classes(settings))
    if is_class(key):
        return follows(settings, key, columns)
    if follows(settings, key, choices):  # as the widths do if each model has its own
        return True
    if only_marks_a_callback(settings, key):  # that some runs lack, as the callback's class does
        return True
    copied = [column for column in columns if is_copy(settings, key, column)]  # as OneCycleLR's max_lr copies the lr
    return any(follows(settings, key, [*choices, column]) for column in copied)


def own_classes(settings: list[dict[str, Any]]) -> list[str]:
    """The settings that name a class of the user's own."""
    known = ("proj.", "torch.", "torchvision.", "lightning.", "torchmetrics.")
    keys = dict.fromkeys(key for one in settings for key in one if key.endswith("_target_"))
    return [key for key in keys if any(not str(one.get(key, known[0])).startswith(known) for one in settings)]


def is_class(key: str) -> bool:
    """Whether a setting is a class, or a checksum of data or code, which usually follow from other settings."""
    return key.endswith(("_target_", "_partial_")) or key in ("data", "code")


def combinations(settings: list[dict[str, Any]], keys: list[str]) -> int:
    """The number of different combinations of values that the runs have in these settings."""
    return len({tuple(map(one.get, keys)) for one in settings})


def varies(settings: list[dict[str, Any]], key: str) -> bool:
    return combinations(settings, [key]) > 1


def follows(settings: list[dict[str, Any]], key: str, others: list[str]) -> bool:
    """Whether runs that agree in the other settings always agree in this one as well."""
    return combinations(settings, others) == combinations(settings, [*others, key])


def only_marks_a_callback(settings: list[dict[str, Any]], key: str) -> bool:
    """Whether a setting has one value wherever its callback is, as early stopping's `mode` has."""
    callback = f"{key.rpartition('.')[0]}._target_"
    has_one_value = len({one.get(key) for one in settings if callback in one}) == 1
    return bool(CALLBACK.fullmatch(callback)) and varies(settings, callback) and has_one_value


def is_copy(settings: list[dict[str, Any]], key: str, column: str) -> bool:
    """Whether in every run this setting is missing or has the same value as the column."""
    return all(one.get(key) in (None, one.get(column)) for one in settings)


def names_of(columns: list[str]) -> list[str]:
    """The headings of the columns: their `short_names`, but the whole name for a class, or the name of its callback."""
    plain = short_names(columns)
    plain |= {column: column for column in columns if column.startswith("threshold.")}  # a class, whose cost it is
    return [CALLBACK.sub(r"\1", column) if is_class(column) else plain[column] for column in columns]


def shown(column: str, value: Any, data: Mapping[str, str]) -> Any:
    """The value as a table shows it: for data, its name in `data` instead of its checksum; a callback's class without
    its modules."""
    if column == "data":
        return data.get(value, value)
    return value.rpartition(".")[2] if CALLBACK.fullmatch(column) and value else value


def short_names(keys: list[str]) -> dict[str, str]:
    """Each setting with a short name: lr for optimizer.lr, unless another one of them ends in .lr, too."""
    lasts = [key.rpartition(".")[2] for key in keys]
    return {key: last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)}
