"""The words of a sweep's command: the settings that all of its jobs share, and those that have several values."""

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from proj.errors import UserError

OF_ALL_JOBS = ("sweep_name", "log")  # what a sweep has one of


def fixed_and_swept(words: list[str], loader: ConfigLoader) -> tuple[list[str], dict[str, Override]]:
    """(The words that all jobs share, the settings that are swept, by their names); of a setting that is named twice,
    the last word counts.

    Raises UserError for a setting that has no value, or several where it takes one.
    """
    parsed = OverridesParser.create(loader).parse_overrides(words)
    last = {override.get_key_element(): override for override in parsed}
    swept = {key: override for key, override in last.items() if override.is_sweep_override()}
    for key, override in swept.items():
        if not values(override):
            how = "give the smaller end first, as in range(1,5)" if override.is_range_sweep() else "name some"
            raise UserError(f"{override.input_line} has no value: {how}.")
        if key in OF_ALL_JOBS:
            raise UserError(f"{override.input_line}: all jobs of a sweep have the same {key}, so give one.")
    return [override.input_line for key, override in last.items() if key not in swept], swept


def values(override: Override) -> list[str]:
    """All values of a choice or range, both ends of an interval."""
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]
    return list(override.sweep_string_iterator())
