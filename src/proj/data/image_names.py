"""Matches the cells of a table with the names of images."""

import os
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple
from unicodedata import normalize

import numpy as np

from proj.data.tables.header import is_counting, is_unnamed
from proj.data.tables.text_table import Table
from proj.errors import UserError
from proj.system.folders import relative
from proj.system.names import readable
from proj.system.shell import as_command
from proj.wording import agree, first_of, how_many


class Names(NamedTuple):
    """The paths of the images that a name may mean: as it is, see `names_of`; and as a number that lacks its leading
    zeros, such as 80 for 080.png, since spreadsheets and pandas read 080 as 80."""

    whole: dict[str, list[str]]
    numbers: dict[str, list[str]]


def column_of_images(table: Table, names: Names, data_dir: str) -> int:
    """The index of the column that names the most images, with their endings if any column has these: numbers alone may
    be those of the rows. Numbers that lack leading zeros count only if no cell is a whole name.
    Raises UserError if no column names an image, or if two name nearly as many, and other ones."""
    different = [[cell for cell, *_ in column.different()] for column in table.columns]
    named = [{cell: named_by(cell, names, whole=True) for cell in cells} for cells in different]
    if not any(any(one.values()) for one in named):
        named = [{cell: named_by(cell, names) for cell in cells} for cells in different]
    counts = [sum(any(has_name(cell, path) for path in paths) for cell, paths in one.items()) for one in named]
    counts = counts if any(counts) else [sum(map(bool, one.values())) for one in named]
    headed = [0 if table.headed and is_unnamed(name) else n for name, n in zip(table.names, counts, strict=True)]
    counts = headed if any(headed) else counts
    best = counts.index(max(counts))
    for other in (at for at, count in enumerate(counts) if at != best and count >= 0.9 * counts[best] > 0):
        for row, pair in enumerate(zip(table.columns[best], table.columns[other], strict=True)):
            paths, others = named[best][pair[0]], named[other][pair[1]]
            if paths and others and not {*paths} & {*others}:
                two = f"{pair[0]} in {table.names[best]} and {pair[1]} in {table.names[other]}"
                one, another = (os.path.dirname(path) for path in (paths[0], others[0]))
                cure = f"write the images' names with their endings ({readable(paths[0])})"
                if one != another:  # such as the folder of the masks
                    its = os.path.join(data_dir, one)
                    words = [f"data_dir={its}", f"dataset.labels={relative(table.file, its)}"]
                    cure = f"take the images of one folder: {as_command(words)}"
                said = f"{table.file}: line {table.line(row)} names two images, {two}"
                raise UserError(f"{said}: leave one of these columns out, or {cure}.")
    if not any(counts):
        first = first_of([column.at(0) for column in table.columns] if len(table.lines) else table.names, 3)
        images = f", such as {readable(next(iter(names.whole.values()))[0])}" if names.whole else ""
        raise UserError(f"no column of {table.file} ({first}) names an image of {data_dir}{images}.")
    return best


def has_name(cell: str, path: str) -> bool:
    """Whether a cell has the file's name of an image, with its ending."""
    return os.path.basename(as_compared(cell)) == os.path.basename(as_compared(path))


def places_of_images(
    table: Table, column: int, rows: np.ndarray, names: Names, data_dir: str
) -> tuple[dict[str, list[int]], list[str]]:
    """(The places in `rows` of the rows that name each image, by its path; the cells of rows whose image is not there).

    column: the index of the one that names the images. Raises UserError for a row that may name several images.
    """
    cells = [cell for cell, *_ in table.columns[column].different()]
    has_folders = any(share_folders(cell, path) for cell in cells for path in named_by(cell, names))
    found, absent = defaultdict[str, list[int]](list), list[str]()
    for place, (row, cell) in enumerate(zip(rows.tolist(), table.columns[column].take(rows), strict=True)):
        paths = [path for path in named_by(cell, names) if not has_folders or share_folders(cell, path) is not False]
        if len(paths) > 1:
            several = f"{table.file}: line {table.line(row)} names {cell}, which may be {first_of(paths, 3)}"
            one = f"data_dir={os.path.join(data_dir, os.path.dirname(paths[-1]))}"
            raise UserError(f"{several}: write the paths below {data_dir}, rename the images, or take {one} alone.")
        if paths:
            found[paths[0]].append(place)
        else:
            absent.append(cell)
    return found, absent


def names_of(paths: Collection[str]) -> Names:
    """The names of images by their paths: the path itself, the file's name, and both without their ending."""
    whole, numbers = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for path in paths:
        name = as_compared(path)
        with_endings = {name, os.path.basename(name)}
        for one in with_endings | {os.path.splitext(each)[0] for each in with_endings}:
            whole[one].append(path)
            if one.isdecimal() and one.startswith("0"):
                numbers[one.lstrip("0") or "0"].append(path)
    return Names(whole, numbers)


def describe_lost_zeros(table: Table, column: int, names: Names) -> list[str]:
    """A line on the cells that name images only without their leading zeros. column: see `places_of_images`."""
    lost = [cell for cell, *_ in table.columns[column].different() if not named_by(cell, names, whole=True)]
    taken = [f"{cell} is taken for {readable(paths[0])}" for cell in lost if (paths := named_by(cell, names))]
    lack = f"{how_many(len(taken), 'number')} in {table.names[column]} {agree(len(taken), 'lacks', 'lack')}"
    return [f"{table.file}: {lack} leading zeros, so that {taken[0]}"] if taken else []


def doubt_row_numbers(table: Table, column: int, names: Names) -> list[str]:
    """A line where images are named by numbers alone, and another column differs in every row, too: it may name them
    in words that none of them has. column: see `places_of_images`. Raises UserError if the numbers are those of the
    rows, in a column without a name."""
    numbers, name = table.columns[column], table.names[column]
    others = (one for one in table.columns if len(one.words) == len(one) and not all(map(is_number, one.words)))
    if not all(map(is_number, numbers.words)) or not (other := next(others, None)):
        return []
    cell, word = numbers.at(0), other.at(0)
    such = f"{table.file}: no image is named {word}, as in column {table.names[table.columns.index(other)]}"
    if is_counting(numbers) and (is_unnamed(name) or name.lower() == "index"):
        path = readable(next(iter(names.whole.values()))[0])
        how = f"write the images' names there, such as {path}, or take that column away"
        raise UserError(f"{such}, and {name} only numbers the rows: {how}.")
    return [f"{such}; so they are named by {name}: {cell} is {readable(path)}" for path in named_by(cell, names)[:1]]


def is_number(cell: str) -> bool:
    return cell.removesuffix(".0").isdecimal()


def named_by(cell: str, names: Names, whole: bool = False) -> list[str]:
    """The images that a cell may name. It may have folders and an ending that the image lacks. whole: whether it must
    have the leading zeros of a number."""
    name = as_compared(cell)
    file = os.path.basename(name)
    stem, ending = os.path.splitext(file)
    asked = (name, file) if ending[1:].isdecimal() else (name, file, stem)  # case.100 is not case.png
    alike = next((names.whole[one] for one in asked if one in names.whole), [])
    exact = [path for path in alike if as_compared(path) == name]
    alike = exact or [path for path in alike if share_folders(cell, path)] or alike
    return alike or ([] if whole else names.numbers.get(cell.removesuffix(".0"), []))


def share_folders(cell: str, path: str) -> bool | None:
    """Whether the folders in a cell and in an image's path are the same, from the last one up to where one of them
    ends, as in photos/train/1.png and train/1.png; None if one of them has none."""
    sides = [as_compared(one).split("/")[-2::-1] for one in (cell, path)]
    return all(map(str.__eq__, *sides)) if all(sides) else None


def as_compared(name: str) -> str:
    return normalize("NFC", name.replace("\\", "/")).casefold()
