"""Separates the overrides of a sweep's command: those that all jobs share, and those that have several values."""

import math
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from proj.config.words import key_of, parsed
from proj.errors import UserError
from proj.sweeps.sweep_file import job_words
from proj.system.run_folder import RunFolder, read_flat
from proj.system.shell import as_command
from proj.wording import first_of

OF_ALL_JOBS = ("sweep_name", "log")  # settings of the whole sweep, which cannot be swept
SHARES = ("trainer.limit_", "trainer.overfit_batches", "trainer.val_check_interval")  # a share, or a number of batches
MAY_CHANGE = ("on_nan", "trainer.max_epochs", "trainer.max_steps")  # when a run goes on, although they change results


def fixed_and_swept(words: list[str], loader: ConfigLoader, folds: bool) -> tuple[list[str], dict[str, Override]]:
    """(The overrides that all jobs share, the swept ones by their names). The last override of a setting counts.

    folds: whether a number of folds stands for all of them, see `every_fold`.
    Raises UserError if a setting has no value, or several although it cannot be swept.
    """
    words = [*words, *every_fold(words)] if folds else words
    overrides = OverridesParser.create(loader).parse_overrides(words)
    last = {override.get_key_element(): override for override in overrides}
    swept = {key: override for key, override in last.items() if override.is_sweep_override()}
    for key, override in swept.items():
        if override.is_range_sweep():
            sweep = override.value()
            if not (sweep.step and all(map(math.isfinite, (sweep.start, sweep.stop, sweep.step)))):
                raise UserError(f"{override.input_line} has no end: give both ends and a step, as in range(1,5,2).")
        if not values(override):
            how = "give the smaller end first, as in range(1,5)" if override.is_range_sweep() else "name some"
            raise UserError(f"{override.input_line} has no value: {how}.")
        if key in OF_ALL_JOBS:
            raise UserError(f"{override.input_line}: all jobs of a sweep have the same {key}, so give one.")
    return [override.input_line for key, override in last.items() if key not in swept], swept


def every_fold(words: list[str]) -> list[str]:
    """The word that trains all folds of a command that only gives their number, such as dataset.folds=5; else none."""
    given = {key_of(word): word for word in words}
    folds = parsed(given.get("dataset.folds", ""))
    count = folds.value() if folds and not folds.is_sweep_override() else None
    is_number = isinstance(count, int) and count > 1
    return [f"dataset.fold=range({count})"] if is_number and "dataset.fold" not in given else []


def values(override: Override) -> list[str]:
    """All values of a choice or range; the two ends of an interval."""
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]
    return list(override.sweep_string_iterator())


def refuse_repeated(override: Override) -> None:
    """Raises UserError for a choice that has a value twice, also if it is written in two ways: 0.01 and 1e-2, 1 and
    1.0; and for one between 0.5 of the batches and 1, which is one batch."""
    seen, key = set[str](), override.get_key_element()
    is_share = key.lstrip("+").startswith(SHARES)  # of which 1 and 1.0 are different values
    for text in values(override) if override.is_choice_sweep() else ():
        value = parsed(f"{key}={text}").value()
        value = repr(float(value) if type(value) is int and not is_share else value)
        if value in seen:
            raise UserError(f"{override.input_line} has {text} twice: leave one out.")
        seen.add(value)
    if is_share and "1" in seen and any(value.startswith("0.") for value in seen):
        raise UserError(f"{override.input_line} has 1, which is a single batch here: 1.0 is the share of all batches.")


def holds_another_sweep(folder: Path, manifest: dict, config: DictConfig, resume: str) -> str:
    """The message for a command that asks for another sweep than the one in `folder`: what to type instead.

    resume: the command that resumes the latter. If the command only has more seeds, the message says how to add them.
    """
    options = [f"--config-dir={place}" for place in manifest.get("config_dirs") or []]
    begun = as_command([*options, *manifest["overrides"], *manifest["hydra"]])
    seeds, others = seeds_and_others(manifest["overrides"])
    asked, same = seeds_and_others(config.hydra.overrides.task)
    is_more = others == same and seeds < asked and "hydra/sweeper=optuna" not in manifest["hydra"]
    more = ""
    if seeds and is_more:
        first = max(map(int, seeds)) + 1
        added = first_of([str(seed) for seed in range(first, first + len(asked) - len(seeds))], 6)
        more = f" with {len(asked)} seeds in each row, by adding {added}: {resume} seeds={len(asked)} rows=all;"
    return (
        f"{folder} holds another sweep ({begun}). To continue it: {resume};{more} for a new one, choose another "
        "sweep_name or hydra.sweep.dir."
    )


def seeds_and_others(overrides: list[str]) -> tuple[set[str], list[str]]:
    """(The seeds in a sweep's overrides, its other overrides that decide what a job trains)."""
    words = job_words(overrides)
    named = [override for word in words if key_of(word) == "seed" and (override := parsed(word))]
    seeds = [values(one) if one.is_sweep_override() else [one.get_value_string()] for one in named]
    return set().union(*seeds), [word for word in words if key_of(word) != "seed"]


def with_changes(words: list[str], run: RunFolder) -> list[str]:
    """A job's words, with the settings that it took when it went on, such as more epochs, for its frozen ones."""
    frozen, trained = read_flat(run.job), read_flat(run.config)
    changed = {key: trained[key] for key in MAY_CHANGE if key in trained and trained[key] != frozen.get(key)}
    new = [f"{key}={'null' if value is None else value}" for key, value in changed.items()]
    return [*(word for word in words if key_of(word) not in changed), *new]
