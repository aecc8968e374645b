"""How the file of a table is to be read, as far as the user or the training says so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """How to read a file. sheet: a spreadsheet's sheet, by name or place; None takes the first that is not hidden.

    encoding: of a CSV file; None detects it. is_hint: whether both come from the training's file, so that they apply
    only if this file has such a sheet, or is not UTF-8. prefix: what precedes both settings when they are typed.
    """

    sheet: str | int | None = None
    encoding: str | None = None
    is_hint: bool = False
    prefix: str = "dataset."


AS_FOUND = Reading()  # the user has said nothing
