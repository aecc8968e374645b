"""Finds the files that make up a table: one, several that are concatenated, or one or more for each part."""

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from textwrap import shorten
from typing import NamedTuple

from proj.data.part_names import PARTS, part_named
from proj.data.tables.header import find_header, is_unnamed
from proj.data.tables.named_column import find_columns
from proj.data.tables.table_file import Reading, open_table
from proj.data.tables.text_table import Table
from proj.errors import UserError, nearest
from proj.system.folders import entries_in, everything_in, folders_in, is_companion, nearest_to, paths_in
from proj.system.shell import as_command
from proj.wording import first_of

TABLE = re.compile(r"(.+?)\.(csv|tsv|tab|parquet|pq|xlsx|xlsm|xlsb|xls|ods)(\.(gz|bz2|xz|zst|zip))?", re.I)
HOW = "name a CSV file with data_dir=path/to/table.csv"
PHOTOS = "it holds pictures, on which dataset=image_folder trains"


class FoundTables(NamedTuple):
    """The files of a table; the part that each file belongs to, or "" if the parts are drawn; the files left out."""

    files: list[str]
    parts: list[str]
    left_out: list[str]


def without_ending(file: str) -> str:
    match = TABLE.fullmatch(file)
    return match[1] if match else file


def tables_in(folder: str) -> list[str]:
    return [entry.path for entry in entries_in(folder) if TABLE.fullmatch(entry.name) and not entry.is_dir()]


def named_files(data_dir: str) -> list[tuple[str, str]]:
    """(A file, the name that may say which part it is) for each table that data_dir names.

    data_dir may be a file, a folder, a glob pattern, or several of these, separated as in PATH. If a folder itself has
    no tables, those in subfolders that are named after parts, such as train and test, are taken.
    Raises UserError for a folder or a pattern without tables, and if the same table is there in two formats.
    """
    if len(several := paths_in(data_dir)) > 1:
        return list(chain.from_iterable(map(named_files, several)))
    if os.path.isdir(data_dir):
        found = [(file, os.path.basename(file)) for file in tables_in(data_dir)]
        parts = [] if found else filter(part_named, folders_in(data_dir))
        found += [(file, os.path.basename(part)) for part in parts for file in tables_in(part)]
    elif os.path.isfile(data_dir) or not (os.path.exists(data_dir) or re.search(r"[*?[]", data_dir)):
        return [(data_dir, os.path.basename(data_dir))]  # if it does not exist, opening it raises the error
    else:
        found = [(file, os.path.basename(file)) for file in sorted(glob.glob(data_dir)) if os.path.isfile(file)]
        found = [pair for pair in found if not is_companion(pair[1])]
    if not found:
        how = what_there_is(data_dir) if os.path.isdir(data_dir) else HOW
        raise UserError(f"{data_dir} finds no table (.csv, .tsv, .parquet, .xlsx …): {how}")
    stems: dict[str, str] = {}
    for file, _ in found:
        if (other := stems.setdefault(without_ending(file), file)) != file:
            raise UserError(f"{other} and {file} would be the same rows twice: move one of them away.")
    return found


def what_there_is(folder: str) -> str:
    """The end of a message on a folder without a table: it names the tables below it, or other files in it, or says
    that it holds pictures."""
    from proj.data.photos.images_in_folder import images_in, is_image  # here, since it imports Pillow

    if deeper := next((entry.path for entry in everything_in(folder) if TABLE.fullmatch(entry.name)), ""):
        *below, file = os.path.relpath(deeper, folder).split(os.sep)
        pattern = os.path.join(folder, *["*"] * len(below), f"*{file.removeprefix(without_ending(file))}")
        lost = next((f"; the column that {one} stands for is not read" for one in below if "=" in one), "")
        return f"{as_command([f'data_dir={pattern}'])} takes those in its folders as one table{lost}"
    files = [entry.name for entry in entries_in(folder) if entry.is_file() and not is_image(entry)]
    if files:
        return f"name one of its files ({first_of(sorted(files), 3)}), if it is a table"
    return PHOTOS if any(images_in(folder, Counter())) else HOW


def find_tables(data_dir: str) -> FoundTables:
    """The files that data_dir names, and the parts: either files called train.csv, test.csv and so on, and the others
    are left out; or all files have a part in their names, as adult_train.csv and train-00000-of-00002.parquet do."""
    pairs = named_files(data_dir)
    files = [file for file, _ in pairs]
    for by_words in (False, True):
        parts = [part_named(without_ending(name), by_words) for _, name in pairs]
        if "train" in parts and {"val", "test"} & {*parts} and not (by_words and None in parts):
            order = [*PARTS, "", None]
            found = sorted(zip(files, parts, strict=True), key=lambda pair: order.index(pair[1]))
            of_parts = [file for file, part in found if part]
            left_out = [file for file, part in found if not part]
            return FoundTables(of_parts, [part for _, part in found if part], left_out)
    return FoundTables(files, [""] * len(files), [])


def open_tables(
    found: FoundTables, how: Reading, header: bool | None, target: str | int | None, notes: list[str], known: list[str]
) -> list[Table]:
    """The tables in the files. Column names that differ only in spelling from the `known` ones, or else from those of
    the first table, are changed to these.

    header: whether the first row of each names the columns; None detects it. target, notes: see `find_header`.
    Raises UserError for a file that cannot be read, or is no table.
    """
    try:
        tables = [open_table(file, how) for file in found.files]
    except OSError as error:
        close = nearest_to(error.filename)
        raise UserError(f"{error.filename} cannot be read ({error.strerror}): {HOW}.{close}") from error
    headed = find_header(tables[0], target, notes) if header is None else header
    for table in tables:
        table.take_header(headed)
    for table in tables:
        spelled = dict(zip(find_columns(known, table.names), known, strict=True))
        table.names = [spelled.get(place, name) for place, name in enumerate(table.names)]
        known = tables[0].names
    return tables


def relative_to_common(files: list[str], others: list[str]) -> list[str]:
    """The paths of files from the folder that holds all of `others`; whole paths if those lie on several drives."""
    try:
        common = os.path.commonpath(others)
    except ValueError:
        return files
    return [os.path.relpath(file, common) for file in files]


def describe_files(found: FoundTables, drawn: list[str]) -> list[str]:
    """Lines that say which files are read, if there are several. drawn: the parts that are drawn if no file is one."""
    names, said = relative_to_common(found.files, found.files + found.left_out), list[str]()
    if any(found.parts):
        others = [f"{part} is drawn from train" for part in drawn if part not in found.parts]
        pairs = [f"{part} is {name}" for part, name in zip(found.parts, names, strict=True)]
        said.append(f"parts: {', '.join(pairs + others)}")
    elif len(names) > 1:
        said.append(f"one table of {len(names)} files: {', '.join(names)}")
        named = [one for one in names if part_named(without_ending(one), by_words=True) in ("val", "test")]
        if named and len(named) < len(names):
            how = "to keep its rows out of the training set, rename the file of the others train.csv"
            said.append(f"{first_of(named, 3)} is mixed with the rest: {how}")
    if found.left_out:
        said.append(f"files left out because they are not parts: {', '.join(found.left_out)}")
    return [shorten(line, 200, placeholder=" …") for line in said]


def join(tables: Sequence[Table], notes: list[str]) -> Table:
    """Append the rows of all tables to the first, and return it.

    Columns that the first table does not have are left out; a remark on them is added to `notes`, except on columns
    without a name, as pandas writes its index. Raises UserError if a table lacks a column, or has more without names.
    """
    first, *others = tables
    for other in others:
        places = {name: place for place, name in enumerate(other.names)}
        more = [name for name in other.names if name not in first.names]
        lacking = [name for name in first.names if name not in places]
        if lacking or (more and not other.headed):
            one, two = (other, first) if lacking else (first, other)
            which = f"{one.file} has no column {[*lacking, *more][0]!r}, which {two.file} has"
            close = nearest(lacking[0], other.names) if lacking else ""
            raise UserError(f"{which}: they are read as one table, data_dir={two.file} reads only that file.{close}")
        if named := [name for name in more if not is_unnamed(name)]:
            notes.append(f"{other.file}: columns left out that {first.file} does not have: {first_of(named, 10)}")
        start = first.lines[-1] if first.lines else first.files[-1][1]
        first.files.append((other.file, start))
        first.joints += [len(first.lines) + row for row in (0, *other.joints)]
        first.lines.extend(line + start for line in other.lines)
        for column, name in zip(first.columns, first.names, strict=True):
            column.extend(other.columns[places[name]])
    return first
