"""Advises the user, in messages, on photos that do not lie in a folder for each class."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from proj.data.part_names import part_named, words_in
from proj.data.photos.images_in_folder import loose_images
from proj.system.folders import entries_in, everything_in, folders_in
from proj.system.names import plain_name, readable
from proj.system.shell import as_command
from proj.wording import first_of

PREDICTED = "input,class,probability"  # the beginning of a table that proj.predict wrote
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
# File names that contain the class, as the pattern's group.
BY_CLASS = (
    r".*\d[-_. ]+([^\W\d_]+)[-_. (]+\d+\)?\.",  # patient7_cat_0.png
    r"(.+?)[-_. (]+\d+\)?\.",  # cat.0.jpg, dog (17).png
    r"(\D+)\d+\.",  # cat0.jpg
    r".*?\d+[-_. ]+(\D+)\.",  # 0_cat.jpg
)
OBJECTS = (
    "marks objects in images, as {} does, and a classifier takes one class for each image: docs/data.md cuts the "
    "objects out into a folder for each class"
)
MARKS = {  # annotation files of various tools: a pattern of the first characters, and what to say of the file
    r'\s*\{[^{]*"(info|licenses|images|annotations|categories)"': OBJECTS.format("COCO"),
    r"\s*(<\?[^>]*>\s*)?<annotation\b": OBJECTS.format("Pascal VOC"),
    # This format has both: tags of whole images, and marked objects.
    r"\s*(<\?[^>]*>\s*)?<annotations\b": "is in CVAT's own format, which is not read: let it export tags of whole "
    "images as ImageNet, which are class folders, and boxes as COCO",
    r"\d+( \d*\.?\d+){4,}\s": OBJECTS.format("YOLO"),
}
# The names of folders that hold masks, and of folders that hold all images: neither are classes.
MASKS = {"masks", "mask", "labels", "annotations", "segmentationclass", "segmentationobject"}
IMAGES = {"images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "set", "data"}
IMAGES |= {"all", "unknown", "unclassified", "unsorted", "dummy"}  # photos that have no class yet
NONE = MASKS | IMAGES
# Names, as `plain_name` returns them, of folders of unsorted photos, and of copies of other folders.
UNSORTED = re.compile("unsorted|unlabell?ed|duplicates?|backups?|thumb(nail)?s|trash|(new|untitled) folder")
COPY = re.compile(r"( -)? (copy|kopie|copie|copia)( \(?\d+\)?)?$| ?\(\d+\)$")
BY_FOLDER = "([^/]+)/[^/]+$"  # a dataset.group that keeps the photos in folders of one name together
# Python code for the user: it moves a/b to b for all folders, so that the inner folders become the classes.
RAISE = "[os.renames(f, os.path.basename(f)) for f in glob.glob('*/*') if os.path.isdir(f)]"
# The same, but it moves a/b to b/a, since several folders a hold one called b.
EXCHANGE = "[os.renames(f, os.path.join(*os.path.split(f)[::-1])) for f in glob.glob('*/*') if os.path.isdir(f)]"


def are_no_classes(names: list[str]) -> bool:
    """Whether all of these folder names consist of words for parts, masks or images, such as train2017, test_images and
    masks, so that none is a class. (train_station and test_tube may be classes.)"""
    words = [[name] if name.lower() in NONE else words_in(name) for name in names]
    known = all(word.lower() in NONE or part_named(word, by_words=True) is not None for one in words for word in one)
    return known and all(words)


def how_to_exchange(folder: str, classes: list[str], within: list[str], group: str | int | None) -> list[str]:
    """A remark on folders whose names recur in most class folders: what they may be, and what to do in each case; none
    if the user has followed it with this dataset.group."""
    said = f"The classes are {first_of(classes, 5)}, and hold the folders {first_of(within, 5)}"
    if masks := [name for name in within if name.lower() in MASKS]:
        return [f"{said}: if {first_of(masks, 5)} hold masks and no photos, move them away"]
    if group == BY_FOLDER:
        return []
    return [
        f'{said}: if these are the classes, or parts, python -c "import glob, os; {EXCHANGE}", typed in '
        f"{readable(folder)}, puts them above; if those above are parts, name them train, val and test; if each "
        f"holds the same photos, as in two sizes, data_dir={readable(os.path.join(folder, classes[-1]))} takes one; if "
        f"the photos in folders of one name belong together, 'dataset.group={BY_FOLDER}' keeps them in one part"
    ]


def doubts(data_dir: str, class_names: list[str]) -> list[str]:
    """Remarks on folders that, by their names, may not be classes, and on a table that may list the real classes."""
    plain, table = {plain_name(name): name for name in class_names}, by_a_list(data_dir, class_names)
    none = [plain[one] for one in plain if UNSORTED.fullmatch(one) or COPY.sub("", one) in plain.keys() - {one}]
    none += [name for name in class_names if name.lower() in MASKS - {"mask"}]  # a class beside no_mask
    none += [name for name in class_names if part_named(name) in ("", "val", "test") and name.lower() != "valid"]
    none = [*dict.fromkeys(none)]
    said = [f"Folders that may not be classes (move them away if so): {first_of(none, 10)}"] if none else []
    if both := sets_of_one_class(class_names):
        how = "sort their photos into train/cat, test/cat and so on if they are sets of the same classes"
        said.append(f"Folders whose names hold train, val or test ({first_of(both, 4)}) are classes: {how}")
    return said + ([f"The classes are the folders{table}"] if table else [])


def sets_of_one_class(class_names: list[str]) -> list[str]:
    """Class names that differ in the word for a part alone, as train_cat and test_cat, or trainA and testA."""
    alike = defaultdict[tuple[str, ...], dict[str | None, str]](dict)
    for name in class_names:
        words = [word for word in re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name) if word]
        if len(parts := [part for part in map(part_named, words) if part]) == 1:
            alike[tuple(word.lower() for word in words if not part_named(word))][parts[0]] = name
    return [name for names in alike.values() if len(names) > 1 and "train" in names for name in names.values()]


def by_a_list(data_dir: str, class_names: Sequence[str] = ()) -> str:
    """Advice, in parentheses, on a table that may list the images' classes: in data_dir or a folder called train in it,
    data_dir itself, or beside it if the table has its name or names an image; "" if there is none, or if a cell of one
    is one of `class_names`, since the folders then agree with it."""
    files, beside, (above, name) = list[os.DirEntry](), list[os.DirEntry](), os.path.split(data_dir)
    images = set[str]()
    with suppress(OSError):  # data_dir may not exist, or be a file
        beside += entries_in(above)
        files += entries_in(data_dir)
        files += [entry for folder in folders_in(data_dir) if part_named(folder) for entry in entries_in(folder)]
        images = {plain_name(os.path.splitext(entry.name)[0]) for entry in islice(everything_in(data_dir), 1000)}
    of_its_own = [one for one in lists_in(beside) if os.path.basename(one).startswith(name) or images & stems_in(one)]
    tables = of_its_own + lists_in(files)
    cells = {plain_name(cell) for file in tables for cell in re.split(r"[,;\t|\r\n]", beginning(file))}
    if not tables or cells & {*map(plain_name, class_names)}:
        return ""
    named, first = " or ".join(map(readable, tables[::-1][:3])), tables[-1]
    is_within = first.startswith(os.path.join(data_dir, ""))
    word = as_command([f"dataset.labels={readable(os.path.relpath(first, data_dir if is_within else above))}"])
    return f" (if {named} lists the class of each image, {word} takes the classes from it)"


def lists_in(files: list[os.DirEntry]) -> list[str]:
    """The tables among some files, but for predictions, whose classes are a model's."""
    tables = [entry.path for entry in files if entry.name.lower().endswith((".csv", ".tsv", ".xlsx"))]
    return [table for table in tables if not beginning(table).startswith(PREDICTED)]


def stems_in(table: str) -> set[str]:
    """What may be the names of images in a table's beginning, without folders and endings."""
    cells = re.split(r"[,;\t|\r\n]", beginning(table))
    return {plain_name(os.path.splitext(os.path.basename(cell.strip(' "')))[0]) for cell in cells} - {""}


def beginning(file: str) -> str:
    with suppress(OSError), open(file, encoding="utf-8", errors="replace") as opened:
        return opened.read(65536)
    return ""


def archives_in(place: str) -> list[str]:
    """The names of the archives in a folder; `place` may also be an archive itself."""
    files = [entry.name for entry in entries_in(place) if not entry.is_dir()] if os.path.isdir(place) else [place]
    return [readable(name) for name in map(os.path.basename, files) if name.lower().endswith(ARCHIVES)]


def by_their_names(data_dir: str) -> str:
    """A command that sorts images whose file names contain their class into class folders; "" if there are none."""
    for folder in (data_dir, *folders_in(data_dir)):
        names = [*map(os.path.basename, loose_images(folder))]
        for pattern in BY_CLASS:
            classes = Counter(found[1] for found in map(re.compile(pattern).match, names) if found)
            if 1 < len(classes) <= classes.total() / 2 and classes.total() >= 0.9 * len(names):
                counts = first_of([f"{readable(name)} ({count:,})" for name, count in sorted(classes.items())], 10)
                moves = f"[os.renames(f, m[1] + '/' + f) for f in os.listdir() if (m := re.match(r'{pattern}', f))]"
                return (
                    f"the images in {readable(folder)} seem to be named by their classes, {counts}, and python -c "
                    f'"import os, re; {moves}", typed in that folder, moves them into a folder for each class'
                )
    return ""


def by_marked_objects(data_dir: str) -> str:
    """Advice for data with an annotation file, the first that is found; "" if there is none."""
    for entry in everything_in(data_dir):
        start = beginning(entry.path) if entry.name.lower().endswith((".json", ".xml", ".txt")) else ""
        if what := next((what for first, what in MARKS.items() if re.match(first, start)), ""):
            return f"{readable(entry.path)} {what}"
    return ""


def in_one_of_its_folders(data_dir: str) -> str:
    """Advice for class folders that lie in a folder beside one of masks, as images/cat and masks/cat; "" if none do."""
    for folder in folders_in(data_dir):
        names = [*map(os.path.basename, folders_in(folder))]
        if names and not are_no_classes(names) and os.path.basename(folder).lower() not in MASKS:
            return f"if the folders in {readable(folder)} are the classes, give data_dir={readable(folder)}"
    return ""


def as_one_of_the_classes(data_dir: str) -> str:
    """Advice for a folder of photos that lies beside others, as cat beside dog: the one above; "" if it does not."""
    above = os.path.dirname(data_dir)
    names = [os.path.basename(folder) for folder in folders_in(above) if loose_images(folder)]
    if len(names) == 1 or are_no_classes(names) or not loose_images(data_dir):
        return ""
    return f"if it is one of the classes {first_of(sorted(map(readable, names)), 5)}, give data_dir={readable(above)}"


def of_several(folders: list[str]) -> str:
    """A message for a user who has named several folders where one is taken, with the folder that holds them."""
    above = {os.path.dirname(os.path.abspath(folder)) for folder in folders}
    how = f"give {as_command([f'data_dir={above.pop()}'])}" if len(above) == 1 else "move them into one, and name that"
    names = first_of(sorted(map(readable, folders)), 5)
    return f"data_dir takes one folder of photos, which holds a folder for each class, not {names}: {how}"


def how_to_sort(data_dir: str) -> str:
    """The end of a message on a folder without class folders: how the user gets the images into class folders."""
    if packed := archives_in(data_dir):
        return f"unpack {first_of(packed, 3)}, and name the folder that comes out of it with data_dir=path/to/photos"
    with suppress(OSError):  # data_dir may not be a folder
        if how := by_marked_objects(data_dir) or by_their_names(data_dir) or as_one_of_the_classes(data_dir):
            return how + by_a_list(data_dir)
    return (
        f"put the images of each class into a folder that is named as the class{by_a_list(data_dir)}, or name another "
        "folder with data_dir=path/to/photos"
    )
