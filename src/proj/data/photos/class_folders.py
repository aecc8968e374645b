"""Finds the images in the class folders of each part."""

import os
from collections import Counter
from collections.abc import Collection
from glob import glob
from pathlib import PurePath
from unicodedata import normalize

from proj.data.part_names import part_named
from proj.data.photos.found_images import FoundImage, FoundImages
from proj.data.photos.how_to_sort import (
    BY_FOLDER,
    RAISE,
    archives_in,
    are_no_classes,
    by_a_list,
    doubts,
    how_to_exchange,
    how_to_sort,
    in_one_of_its_folders,
    of_several,
)
from proj.data.photos.image_file import RAW
from proj.data.photos.images_in_folder import SUFFIXES, ending, images_in, listed_counts, loose_images
from proj.data.photos.part_folders import find_parts, names_in
from proj.errors import UserError
from proj.system.folders import entries_in, folders_in, nearest_to, paths_in
from proj.system.names import plain_name, readable
from proj.wording import first_of


def find_images(data_dir: str, known: Collection[str] | None = None, group: str | int | None = None) -> FoundImages:
    """All images of a folder of class folders, or of folders of parts that hold such.

    known: the classes of the model that is to be measured; with None, parts without a folder will be drawn.
    group: the setting dataset.group, which is advised where it is another.
    Raises UserError if a folder cannot be read, or holds no class folders or images.
    """
    try:
        return _find(data_dir, known, group)
    except OSError as error:
        if os.path.isfile(data_dir):
            raise UserError(f"{data_dir} is a file, and the photos lie in folders: {how_to_sort(data_dir)}") from error
        if len(several := glob(data_dir) or paths_in(data_dir)) > 1:
            raise UserError(of_several(several)) from error
        raise UserError(
            f"{error.filename} cannot be read ({error.strerror}). Name the folder that holds a folder of images "
            f"for each class with data_dir=path/to/photos{by_a_list(data_dir)}.{nearest_to(data_dir)}"
        ) from error


def _find(data_dir: str, known_classes: Collection[str] | None, group: str | int | None) -> FoundImages:
    parts, without = find_parts(data_dir, known_classes or ())
    others: Counter[str] = Counter()
    absent: Counter[str] = Counter()  # the number of images of each class that the training part does not have
    found, empty = FoundImages([], [], []), []
    spelled: dict[str, str] = {}  # merges folders named alike: macOS stores ü as two characters, Linux as one
    for part, folder in parts.items():
        known, unknown = {*found.class_names}, list[str]()
        for folder_of_class in folders_in(folder):
            if any(PurePath(one).is_relative_to(folder_of_class) for one in (*parts.values(), *without)):
                continue  # it holds a part, or is left out
            name = readable(os.path.basename(folder_of_class))
            name = spelled.setdefault(normalize("NFC", name), name)
            images = list(images_in(folder_of_class, others))
            if not images:
                empty.append(readable(os.path.relpath(folder_of_class, data_dir)))
                continue
            if part != "train" and name not in known:
                alike = [one for one in known if plain_name(one) == plain_name(name)]
                if len(alike) != 1:
                    absent[name] += len(images)
                    unknown.append(name)
                    continue
                name = alike[0]
            found.images.extend(FoundImage(path, its_stamp, name, part) for path, its_stamp in images)
        found.class_names.extend(dict.fromkeys(image.label for image in found.images if part == "train"))
        there = {image.label for image in found.images if image.part == part}
        if part != "train" and not there and not unknown:
            raise UserError(f"{folder} holds no images: remove it, and {part} is drawn from the training images.")
        if unknown and (missing := [name for name in found.class_names if name not in there]):
            raise UserError(
                f"{folder} has a class {unknown[0]} that {parts['train']} does not have, and lacks "
                f"{first_of(missing, 5)}: name each class the same in both, or move its folder away."
            )
    left_out = (
        ("Files left out because they are not images", listed_counts(others)),
        ("Images left out because the training part does not have their class", listed_counts(absent)),
        ("Folders left out because they hold no images", first_of(empty, 10)),
        *beside_the_classes(data_dir, parts, without, found.class_names, draws=known_classes is None),
    )
    found.said.extend(f"{sentence}: {what}" for sentence, what in left_out if what)
    if found.images:
        found.said.extend(doubts(data_dir, found.class_names))
        check_inner_folders(found, data_dir, parts, group)
    if are_no_classes(found.class_names):
        refuse_no_classes(found, data_dir, others)
    return found


def beside_the_classes(
    data_dir: str, parts: dict[str, str], without: list[str], class_names: list[str], draws: bool
) -> list[tuple[str, str]]:
    """(A sentence, what it is about) for all that stands beside the class folders and is left out; "" if nothing is.

    parts, without: what `find_parts` returned. draws: whether parts without a folder are drawn.
    """
    packed = [name for folder in {data_dir, *parts.values()} for name in archives_in(folder)]
    loose = Counter(ending(path) for folder in {data_dir, *parts.values()} for path in loose_images(folder))
    broken = [one.name for folder in {*parts.values()} for one in entries_in(folder) if not os.path.exists(one.path)]
    copies = [folder for folder in without if names_in(folder) & {*map(plain_name, class_names)}]
    unlabelled = [folder for folder in without if folder not in copies]
    lacking = {part_named(folder, by_words=True) for folder in unlabelled} & {"val", "test"} - {*parts}
    drawn = " (a part without class folders is drawn from the training images)" if draws and lacking else ""
    return [
        ("Broken links left out", first_of([*map(readable, sorted(broken))], 10)),
        ("Images left out because they lie in no class folder", listed_counts(loose)),
        ("Archives left out: unpack them first if they hold images", first_of(packed, 10)),
        ("Folders left out because they hold folders of the classes' names", first_of([*map(readable, copies)], 10)),
        ("Folders left out because their images have no classes", ", ".join(map(readable, unlabelled)) + drawn),
    ]


def refuse_no_classes(found: FoundImages, data_dir: str, others: Counter[str]) -> None:
    """Raises UserError for a folder without class folders. others: the suffixes of files that are not images."""
    there = f", but {listed_counts(others)}" if others else ""
    if any(map(others.get, RAW)):
        there += ", raw photos that are to be developed into JPEG or TIFF files"
    how = ""
    if found.images:
        there += f", since {first_of(found.class_names, 5)} are names of none"
        how = in_one_of_its_folders(data_dir)
    how = how or how_to_sort(data_dir)
    raise UserError(f"{data_dir} holds no class folders with images ({' '.join(SUFFIXES)} …){there}: {how}")


def check_inner_folders(found: FoundImages, data_dir: str, parts: dict[str, str], group: str | int | None) -> None:
    """Add a remark to `found.said` if most classes hold folders of the same names: these may be the real classes, or
    parts, masks or groups. Raises UserError if there is only one class, and it holds several folders."""
    names = found.class_names
    classes = [folder for folder in folders_in(parts["train"]) if readable(os.path.basename(folder)) in names]
    inner = [[readable(os.path.basename(folder)) for folder in folders_in(its_folder)] for its_folder in classes]
    counts = Counter(name for one in inner for name in one)
    if len(classes) == 1 and len(counts) > 1 and not are_no_classes([*counts]):
        raise UserError(
            f"{data_dir} holds the folder {names[0]} alone: if the {len(counts):,} folders in it are the classes, give "
            f"data_dir={readable(classes[0])}"
        )
    places = {(image.label, *os.path.split(os.path.dirname(image.file))) for image in found.images}
    leaves = {(label, name) for label, above, name in places if above not in parts.values()}  # at any depth
    holders = Counter(readable(name) for _, name in leaves)
    within = [name for name, count in sorted(holders.items()) if count > len(classes) / 2]
    if len(within) < 2 or len(classes) == 1:
        found.said.extend(describe_inner_images(found.images, parts, group) if counts else [])
    elif len(parts) == 1:
        found.said.extend(how_to_exchange(parts["train"], names, within, group))


def describe_inner_images(images: list[FoundImage], parts: dict[str, str], group: str | int | None) -> list[str]:
    """A remark on images in subfolders of the class folders. If the class has images outside of them, they may be
    masks; if a class has several subfolders, each may hold several photos of one thing."""
    places = Counter(os.path.dirname(image.file[len(parts[image.part]) + 1 :]) for image in images)
    deeper = [f"{readable(place)} ({count:,})" for place, count in places.items() if os.sep in place]
    within = f"Images in subfolders of the class folders: {first_of(deeper, 5)}"
    above = Counter(place.split(os.sep)[0] for place in places if os.sep in place)
    if len(deeper) < len(places):
        folder = next((name for name, count in above.items() if count > 1 and name not in places), "")
        other = f", or give data_dir={os.path.join(parts['train'], folder)}, if its folders are the classes"
        away = f"move them away if they do not show their class, such as masks{other if folder else ''}"
        return [f"{within}: {away}"] if deeper else []
    if len(deeper) == len(above) or group == BY_FOLDER:
        return []
    inner = [place.split(os.sep)[1] for place in places if os.sep in place]
    unique = len({*inner}) == len(inner) and not {*inner} & {*above}  # else they could not lie side by side
    moves = f'python -c "import glob, os; {RAISE}", typed in {readable(parts["train"])}, moves them up'
    return [
        f"{within}: if those of one folder belong together, 'dataset.group={BY_FOLDER}' keeps them in one part; if "
        f"these folders are the classes, {moves if unique else 'put them side by side, each under a name of its own'}"
    ]
