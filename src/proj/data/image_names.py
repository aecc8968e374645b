"""Matches the cells of a table with the names of images."""

import os
from collections import defaultdict
from collections.abc import Collection
from unicodedata import normalize

import numpy as np

from proj.data.tables.header import is_unnamed
from proj.data.tables.text_table import Table
from proj.errors import UserError
from proj.system.folders import relative
from proj.system.names import readable
from proj.system.shell import as_command
from proj.wording import agree, first_of, how_many

Names = dict[str, list[str]]  # the paths of the images that a name may mean


def column_of_images(table: Table, names: Names, data_dir: str, numbers: Names | None = None) -> int:
    """The index of the column that names the most images, with their endings if any column has these: numbers alone may
    be those of the rows. numbers: names for where no column has one of `names`, see `without_zeros`.
    Raises UserError if no column names an image, or if two name nearly as many, and other ones."""
    named = [{cell: named_by(cell, names, numbers) for cell, *_ in column.different()} for column in table.columns]
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
    if not any(counts) and numbers is None:
        return column_of_images(table, names, data_dir, without_zeros(names))
    if not any(counts):
        first = first_of([column.at(0) for column in table.columns] if len(table.lines) else table.names, 3)
        images = f", such as {readable(next(iter(names.values()))[0])}" if names else ""
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
    cells, numbers = [cell for cell, *_ in table.columns[column].different()], without_zeros(names)
    has_folders = any(share_folders(cell, path) for cell in cells for path in named_by(cell, names))
    found, absent = defaultdict[str, list[int]](list), list[str]()
    for place, (row, cell) in enumerate(zip(rows.tolist(), table.columns[column].take(rows), strict=True)):
        paths = named_by(cell, names, numbers)
        paths = [path for path in paths if not has_folders or share_folders(cell, path) is not False]
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
    """The paths that each name may mean: the path itself, the file's name, and both without their ending."""
    names = defaultdict[str, list[str]](list)
    for path in paths:
        whole = as_compared(path)
        for name in {whole, os.path.basename(whole)}:
            for one in {name, os.path.splitext(name)[0]}:
                names[one].append(path)
    return names


def without_zeros(names: Names) -> Names:
    """Names for numbers whose leading zeros were lost, such as 80 for 080.png: spreadsheets and pandas read 080 as 80.
    Those that several images would have are left out."""
    numbers = defaultdict[str, list[str]](list)
    for name, paths in names.items():
        if name.isdecimal() and name.startswith("0"):
            numbers[name.lstrip("0") or "0"] += paths
    return {number: paths for number, paths in numbers.items() if len(paths) == 1}


def describe_lost_zeros(table: Table, column: int, names: Names) -> list[str]:
    """A line on the cells that name images only without their leading zeros. column: see `places_of_images`."""
    cells, numbers = [cell for cell, *_ in table.columns[column].different()], without_zeros(names)
    lost = {cell: named_by(cell, names, numbers) for cell in cells if not named_by(cell, names)}
    taken = [f"{cell} is taken for {readable(paths[0])}" for cell, paths in lost.items() if paths]
    lack = f"{how_many(len(taken), 'number')} in {table.names[column]} {agree(len(taken), 'lacks', 'lack')}"
    return [f"{table.file}: {lack} leading zeros, so that {taken[0]}"] if taken else []


def named_by(cell: str, names: Names, numbers: Names | None = None) -> list[str]:
    """The images that a cell may name, see `names_of`. It may have folders and an ending that the image lacks. A number
    that is no name may be one of `numbers`, see `without_zeros`."""
    whole = as_compared(cell)
    file = os.path.basename(whole)
    alike = next((names[one] for one in (whole, file, os.path.splitext(file)[0]) if one in names), [])
    exact = [path for path in alike if as_compared(path) == whole]
    alike = exact or [path for path in alike if share_folders(cell, path)] or alike
    return alike or (numbers or {}).get(cell.removesuffix(".0"), [])


def share_folders(cell: str, path: str) -> bool | None:
    """Whether the folders in a cell and in an image's path are the same, from the last one up to where one of them
    ends, as in photos/train/1.png and train/1.png; None if one of them has none."""
    sides = [as_compared(one).split("/")[-2::-1] for one in (cell, path)]
    return all(map(str.__eq__, *sides)) if all(sides) else None


def as_compared(name: str) -> str:
    return normalize("NFC", name.replace("\\", "/")).casefold()
