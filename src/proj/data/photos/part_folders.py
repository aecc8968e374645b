"""Decides which folders are classes and which are parts (train, val, test)."""

import os
from collections import Counter
from collections.abc import Collection

from proj.data.part_names import PARTS, part_named
from proj.data.photos.how_to_sort import are_no_classes
from proj.data.photos.images_in_folder import images_in, loose_images
from proj.errors import UserError
from proj.system.folders import folders_in
from proj.system.names import plain_name, readable


def inner_folder(folder: str) -> str:
    """The folder, or the only folder in it: archives often unpack into a nested folder (pets/pets/cat)."""
    while len(inner := folders_in(folder)) == 1 and not loose_images(folder):
        again = os.path.basename(inner[0]) == os.path.basename(folder) or part_named(inner[0]) is None
        if not again or not folders_in(inner[0]) or loose_images(inner[0]):
            break
        folder = inner[0]
    return folder


def sort_folders(data_dir: str, by_words: bool) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """(The folders that are named after a part and hold class folders, by part; those of validation, test or unlabelled
    images without class folders, such as test/images/1.jpg; all others). by_words: see `part_named`."""
    parts, unlabelled, others = {part: list[str]() for part in PARTS}, list[str](), list[str]()
    for folder in folders_in(data_dir):
        inner = folders_in(folder)
        part = part_named(folder, by_words or not inner)  # a test1 with images but no folders has no classes
        if part != "train" and len(inner) == 1 and not folders_in(inner[0]):
            name = os.path.basename(inner[0])
            inner = [] if are_no_classes([name]) or name == os.path.basename(folder) else inner
        if part and inner:
            parts[part].append(inner_folder(folder))
        else:
            (unlabelled if part in ("", "val", "test") else others).append(folder)
    return parts, unlabelled, others


def find_parts(data_dir: str, known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """(The folder of each part, "train", "val" or "test"; the folders beside them whose images have no classes).

    If data_dir holds class folders directly, it is itself the folder of "train".
    known: the classes of the model that is to be measured, so that a folder with such a name is no part.
    Raises UserError if folders could be parts as well as classes, or if a part has two folders.
    """
    data_dir = inner_folder(data_dir)
    by_words = not sort_folders(data_dir, by_words=False)[0]["train"]
    parts, unlabelled, others = sort_folders(data_dir, by_words)
    if not parts["train"]:
        return find_parts_beside_classes(data_dir, known)
    full = {folder for folder in unlabelled + others if any(images_in(folder, Counter()))}
    others = [folder for folder in others if folder in full]
    if by_words and others and not parts["val"] + parts["test"]:
        return {"train": data_dir}, []  # a class whose name contains the word train
    train = parts["train"][0]
    for folder in others + folders_in(train):  # such as "Test Set" beside train, or val within it
        if part := part_with_classes(folder, names_in(train)):
            parts[part].append(inner_folder(folder))
            others = [one for one in others if one != folder]
    empty, unlabelled = [one for one in unlabelled if one not in full], [one for one in unlabelled if one in full]
    for folder in empty:  # make it a part, which is refused later: else the part would silently be drawn from train
        if (part := part_named(folder, by_words)) and not parts[part]:
            parts[part].append(folder)
    if len(parts["val"]) > 1 and not parts["test"]:  # as in food-11: training, validation, evaluation
        parts["test"] = [folder for folder in parts["val"] if os.path.basename(folder).lower().startswith("eval")]
        parts["val"] = [folder for folder in parts["val"] if folder not in parts["test"]]
    if twice := [folders for folders in parts.values() if len(folders) > 1]:
        raise UserError(same_part(*twice[0]))
    if not others:
        return {part: folders[0] for part, folders in parts.items() if folders}, unlabelled
    if loose_images(train) and not parts["val"] + parts["test"]:
        return {"train": data_dir}, []  # a class named train
    raise UserError(
        f"{others[0]} is a class beside {train}, which holds folders as for a part: if {train} is the training part, "
        "name the others val and test if they are parts, and move them away if not; if it is a class, put its images "
        "right into it."
    )


def find_parts_beside_classes(data_dir: str, known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """What `find_parts` returns where class folders lie in data_dir itself, perhaps beside other folders.

    A folder that is named after val or test is a part if it holds folders of the classes' names. Any other folder that
    holds several such folders is left out, as a copy of them, and so is one called test, test_set or predict that holds
    no folders. But a folder with a name in `known` is always a class; and where there is no part, and fewer than two
    classes would remain, no folder is left out.
    Raises UserError if there are parts, but no training part, or two folders for one part.
    """
    parts, unlabelled, others = sort_folders(data_dir, by_words=False)
    are_classes = {"valid", *map(plain_name, known)}  # valid is a class beside invalid
    without = [one for one in unlabelled if part_named(one) is not None or are_no_classes([os.path.basename(one)])]
    without = [one for one in without if its_name(one) not in are_classes]
    others += [one for one in unlabelled if one not in without]
    classes = {its_name(folder) for folder in others if any(images_in(folder, Counter()))}
    if not classes and (there := parts["val"] + parts["test"]):
        named = " and ".join(map(os.path.basename, there))
        how = f"rename the one with the training images, or give data_dir={readable(there[-1])}"
        raise UserError(f"{data_dir} has {named}, but no folder called train: {how}")
    for folder in others:
        if (part := part_with_classes(folder, classes)) and its_name(folder) not in are_classes:
            parts[part].append(inner_folder(folder))
            others = [one for one in others if one != folder]
    found = {"train": data_dir}
    for part in ("val", "test"):
        holding = [folder for folder in parts[part] if classes & names_in(folder)]
        if len(holding) > 1:
            raise UserError(same_part(*holding))
        if holding:
            found[part] = holding[0]
    if len(classes) < 2 and len(found) == 1:
        return found, []
    copies = [one for one in others if len(classes & names_in(one)) > 1 and its_name(one) not in are_classes]
    if len(others) - len(copies) > 1:
        without += copies
    return found, without


def part_with_classes(folder: str, classes: set[str]) -> str | None:
    """The part, "val" or "test", that a word of a folder's name says; None if it holds no folder of a class's name."""
    part = part_named(folder, by_words=True)
    return part if part in ("val", "test") and names_in(inner_folder(folder)) & (classes - {its_name(folder)}) else None


def names_in(folder: str) -> set[str]:
    return {*map(its_name, folders_in(folder))}


def its_name(folder: str) -> str:
    return plain_name(os.path.basename(folder))


def same_part(*folders: str) -> str:
    return f"{' and '.join(folders)} are for the same part: put their images into one of them."
