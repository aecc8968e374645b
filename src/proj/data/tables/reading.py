"""How a file is read, where its user says it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """sheet: of a spreadsheet, its name or place; None for the first. encoding: of a CSV file; None finds it out.

    is_hint: these are those of another file, and taken where this one has such a sheet, or is not UTF-8.
    prefix: of the two settings, as the user types them.
    """

    sheet: str | int | None = None
    encoding: str | None = None
    is_hint: bool = False
    prefix: str = "dataset."


AS_FOUND = Reading()  # nothing is said
