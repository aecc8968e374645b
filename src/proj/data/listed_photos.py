"""Finds the images whose classes a table lists, such as labels.csv beside a folder of photos."""

import os
import re
from collections import Counter
from collections.abc import Collection

import numpy as np

from proj.data.class_names import ordered
from proj.data.exists import PhotoList, find_list
from proj.data.image_names import column_of_images, describe_lost_zeros, doubt_row_numbers, names_of, places_of_images
from proj.data.part_names import PARTS, describe_part_words, parts_of_folders
from proj.data.photos.class_folders import find_images
from proj.data.photos.found_images import FoundImage, FoundImages
from proj.data.photos.images_in_folder import images_in, listed_counts
from proj.data.rare_classes import rows_with_class
from proj.data.table_parts import groups_of_rows, parts_named_in
from proj.data.tables.named_column import find_column
from proj.data.tables.one_column import Column
from proj.data.tables.reading import Reading
from proj.data.tables.row_numbers import doubt_groups
from proj.data.tables.table_files import FoundTables, open_tables
from proj.data.tables.text_table import Table
from proj.data.word_remarks import describe_classes
from proj.errors import UserError
from proj.system.folders import folders_in
from proj.system.names import readable
from proj.system.shell import as_command
from proj.wording import first_of, how_many

FEW = 6  # folders whose images have one class each; fewer may do so by chance
# The cells of a column that says of each image whether it is of a class.
MARKS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def images_with_classes(data_dir: str, settings: PhotoList, known: Collection[str] | None) -> FoundImages:
    """The images in a folder, with the classes that a table gives them, or else those of their folders.

    known: the classes of the model that is to be measured, whose class folders come before a table; else None.
    Raises UserError for a table that names none of the images, or one with two classes or in two parts.
    """
    if not os.path.isdir(data_dir):
        return find_images(data_dir, known)  # raises the error that says what is wrong
    is_sorted = known and {*known} & {*map(os.path.basename, folders_in(data_dir))}
    file = "" if is_sorted else find_list(data_dir, settings, of_training=known is None)
    if file:
        return listed_images(data_dir, file, settings, known is None)
    return find_images(data_dir, known, settings.group)


def listed_images(data_dir: str, file: str, settings: PhotoList, is_split: bool) -> FoundImages:
    """`images_with_classes` for the table in a file. is_split: whether the images are going to be split into parts, so
    that the columns of parts and groups matter."""
    notes, target = list[str](), settings.target
    split, group = (settings.split, settings.group) if is_split else (None, None)
    (table,) = open_tables(FoundTables([file], [""], []), Reading(), None, target, notes, [])
    stamps = {os.path.relpath(path, data_dir): its_stamp for path, its_stamp in images_in(data_dir, Counter())}
    names = names_of(stamps)
    images = column_of_images(table, names, data_dir)
    refuse_a_column_for_each_class(table, target)
    numbered = doubt_row_numbers(table, images, names)
    classes = find_column(table, "target", 1 - images if target is None and len(table.names) == 2 else target)
    rows, said = rows_with_class(table, classes, ())
    refuse_several_in_a_cell(table, classes, images)
    column = column_of_groups(group, table, stamps)
    groups = [""] * len(rows) if column is None else groups_of_rows(table, rows, column)
    parts = [""] * len(rows) if split is None else [PARTS[place] for place in parts_named_in(table, rows, split)]
    labels = [*table.columns[classes].take(rows)]
    places, absent = places_of_images(table, images, rows, names, data_dir)
    for kind, values in (("class", labels), ("set", parts)):
        refuse_two(table, images, kind, rows, values, places)
    found = {
        path: FoundImage(os.path.join(data_dir, path), stamps[path], labels[place], parts[place], groups[place])
        for path, (place, *_) in places.items()
    }
    if not found:
        raise UserError(f"{file} gives no image a class in {table.names[classes]}.")
    others = {name: table.columns[at].take(rows) for at, name in enumerate(table.names) if at not in (images, classes)}
    others = others if is_split else {}
    doubts = [one for name in others if group is split is None for one in doubt_groups(name, others[name])]
    doubts += describe_folders(found) if is_split and group is split is None else []
    left_out = describe_lost_zeros(table, images, names) + describe_left_out(file, absent, stamps.keys() - found.keys())
    return in_parts(found, [*table.notes, *notes, *said, *numbered, *doubts, *left_out], others)


def refuse_a_column_for_each_class(table: Table, target: str | int | None) -> None:
    """Raises UserError where no column is named, and of several, one for each class, one has a 1 and the others 0."""
    cells = [{cell.lower() for cell, *_ in column.different()} for column in table.columns]
    marks = [at for at, its_cells in enumerate(cells) if its_cells <= {*MARKS}]
    sums = sum(table.columns[at].each(lambda cell: MARKS[cell.lower()]) for at in marks)
    if target is None and len(marks) > 1 and (sums == 1).all():
        listed = first_of([repr(table.names[at]) for at in marks], 40)
        written = f"{os.path.splitext(table.file)[0]}_in_one_column.csv"
        words = as_command([f"dataset.labels={written}", "dataset.target=label"])
        raise UserError(
            f"{table.file} has a column of 0 and 1 for each class, and one column that holds the classes is needed; "
            f"pandas writes it: table = pandas.read_csv({table.file!r}, skipinitialspace=True); "
            f"table['label'] = table[[{listed}]].idxmax(axis=1); table.to_csv({written!r}, index=False). Then give "
            f"{words}"
        )


def refuse_several_in_a_cell(table: Table, classes: int, images: int) -> None:
    """Raises UserError for a cell with several classes, such as "scab rust" where scab and rust are classes, too."""
    cells = {cell: first for cell, _, first in table.columns[classes].different()}
    for cell, row in cells.items():
        parts = [part for part in re.split(r"[\s,;|]+", cell) if part]
        if len(parts) > 1 and all(part in cells for part in parts):
            raise UserError(
                f"{table.file}: line {table.line(row)} gives {table.columns[images].at(row)} several classes in "
                f"{table.names[classes]} ({cell}), and a classifier takes one class for each image: leave one, or join "
                f"their names, such as {'+'.join(parts)}, to learn the combinations."
            )


def refuse_two(
    table: Table, images: int, kind: str, rows: np.ndarray, values: list[str], places: dict[str, list[int]]
) -> None:
    """Raises UserError for an image whose rows give it different values. kind: what these are, "class" or "set".

    images: the index of the column that names them. values: one for each of `rows`. places: see `places_of_images`.
    """
    for first, *others in places.values():
        for other in others:
            if values[other] != values[first]:
                lines = f"{table.file}: lines {table.line(rows[first])} and {table.line(rows[other])}"
                image, both = table.columns[images].at(rows[other]), f"both {values[first]} and {values[other]}"
                raise UserError(
                    f"{lines} give {image} {both} as its {kind}, and a classifier takes one {kind} for each image: "
                    "delete one of them."
                )


def column_of_groups(group: str | int | None, table: Table, paths: Collection[str]) -> str | int | None:
    """dataset.group, if it names a column of the table, perhaps a misspelt one; None if it is for the paths."""
    is_word = str(group).isidentifier() and not any(str(group) in path for path in paths)
    is_column = isinstance(group, int) or group in table.names or is_word
    return group if is_column else None


def describe_left_out(file: str, absent: list[str], unlisted: Collection[str]) -> list[str]:
    """Lines on rows without an image, of which the cells are given, and on images without a row or a class."""
    rows = how_many(len(absent), "row")
    said = [f"{file}: left out, {rows} whose image is not there, such as {absent[0]}"] if absent else []
    if unlisted:
        such = f"{len(unlisted):,}, such as {readable(min(unlisted))}"
        said.append(f"Images left out because {file} gives them no class: {such}")
    return said


def describe_folders(found: dict[str, FoundImage]) -> list[str]:
    """A line on images, by their paths, that lie in many folders of a few images of one class each, as of a patient."""
    labels: dict[str, list[str]] = {}
    for path, image in found.items():
        labels.setdefault(os.path.dirname(path), []).append(image.label)
    several = {folder: its for folder, its in labels.items() if len(its) > 1}
    names = {os.path.basename(folder) for folder in labels}
    if len(several) < max(FEW, len(labels) / 2) or any(len({*its}) > 1 for its in several.values()):
        return []
    classes = {image.label for image in found.values()}  # as many folders may be those of the classes, by another name
    if names & classes or len(several) <= len(classes) or parts_of_folders(found):
        return []
    such = f"{len(several)}, such as {readable(next(iter(several)))}"
    keeps = "if those of one folder belong together, 'dataset.group=([^/]+)/[^/]+$' keeps them in one part"
    return [f"Folders of several images, all of one class: {such}: {keeps}"]


def in_folders(item: tuple[str, FoundImage]) -> str:
    """What listed images are sorted by: their paths, which Windows spells with other separators."""
    return item[0].replace("\\", "/")


def in_parts(found: dict[str, FoundImage], said: list[str], columns: dict[str, Column]) -> FoundImages:
    """The images, by their paths below the folder, each in its part, or else in that of its folder; all in "train" if
    neither names parts. columns: of the table, with a cell for each image, by name; one that names parts is remarked on
    in that case."""
    parts = {path: image.part for path, image in found.items() if image.part} or parts_of_folders(found)
    if not parts:
        for name, cells in columns.items():
            said += describe_part_words(name, [word for word, *_ in cells.different()], "the sets are drawn")
    images = [image._replace(part=parts.get(path) or "train") for path, image in sorted(found.items(), key=in_folders)]
    class_names = ordered([*dict.fromkeys(image.label for image in images if image.part == "train")], [])
    said += describe_classes(class_names)
    unknown = Counter(image.label for image in images if image.label not in class_names)
    if unknown:
        said.append(f"Images left out because the training part does not have their class: {listed_counts(unknown)}")
    return FoundImages(images, class_names, said).without(unknown)
