"""Opens the data on which a checkpoint's model is measured: that of its training, or other data that fits the model."""

import os
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from itertools import product
from pathlib import Path

import torch

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.data.copies import marks_of
from proj.data.facts import Facts, pair
from proj.data.loaded import Split
from proj.data.part_names import part_named
from proj.errors import UserError, message_of
from proj.system.folders import absolute, paths_in
from proj.system.ranks import say
from proj.system.shell import as_command
from proj.wording import agree, how_many


def open_data(
    contents: dict,
    dataset: str = "",
    data_dir: str = "",
    everything: bool = False,
    download: bool = True,
    config_dir: str = "",
    reading: Mapping[str, str] = {},
):
    """The datamodule of a checkpoint's training, or another one, set up so that it makes inputs as in that training.

    contents: the description in the checkpoint. dataset: another option of the group `dataset`; data_dir: another
    folder or file; "" keeps the training's. config_dir: the user's own conf/, in which that option may be.
    everything: make all examples the test part. download: let missing data be downloaded. reading: the sheet and
    encoding of a table, if other than the training's. Raises UserError if the data is missing, or does not fit.
    """
    facts, stored = Facts.from_dict(contents), contents["config"]["dataset"]
    chosen = dict(stored)
    if config_dir and not dataset:
        raise UserError(f"--config-dir={config_dir} has no effect without dataset=…, an option of that folder.")
    if dataset:
        # No run is started, so any folder will do as long as it is not a sweep's, which is refused.
        chosen = dict(configure(f"dataset={dataset}", "hydra.run.dir=/", config_dir=config_dir).dataset)
    refuse_to_open(chosen, facts, dataset, data_dir, reading, everything)
    if "source" in chosen:
        named = data_dir or (dataset and os.environ.get("PROJ_DATA_DIR"))
        chosen["download"] = bool(named)  # a folder that only the checkpoint or the default names is not written into
    try:
        data = build(chosen | ({"data_dir": data_dir} if data_dir else {}) | reading)
        data.take(facts)
        data.is_other = bool(data_dir and not reading)
        if download:
            data.prepare_data()
        data.load_all(facts.columns, facts.class_names) if everything else data.setup()
    except UserError as error:
        if everything or "test_fraction" not in chosen or not (data_dir and Path(data_dir).exists()):
            raise
        stop = "" if str(error).endswith((".", "?")) else "."  # behind a command, a sentence has no full stop
        raise UserError(f"{error}{stop} If the model has not seen this data, split=all measures all of it.") from error
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:  # a setting of a wrong type
        raise UserError(f"the dataset that the checkpoint names cannot be opened: {error}") from error
    tables = bool(data.columns and facts.columns)
    if list(data.input_shape) != list(facts.input_shape) and not tables:
        given, taken = ("×".join(map(str, shape)) for shape in (data.input_shape, facts.input_shape))
        raise UserError(
            f"the data has inputs of {given} in {data.num_classes} classes, the model takes {taken} and knows "
            f"{len(facts.class_names)} classes: choose another dataset."
        )
    if data.columns != facts.columns:
        cure = "choose another dataset, or the table's file: dataset=csv data_dir=…"
        if "data_dir" in chosen and not everything:
            named = [] if dataset or data_dir else [f"data_dir={chosen['data_dir']}"]
            words = as_command([*named, "split=all"])
            cure = f"{words} measures all of its rows, python -m proj.predict also those without a class"
        raise UserError(f"the table has other columns or values than the training's: {cure}.")
    return data


def refuse_to_open(
    chosen: dict, facts: Facts, dataset: str, data_dir: str, reading: Mapping[str, str], everything: bool = False
) -> None:
    """Raises UserError for an option that the dataset does not take, or that it lacks. chosen: its settings."""
    add = f"add dataset={'image_folder' if facts.kind == 'image' else 'csv'}, which reads your own files"
    if data_dir and "data_dir" not in chosen:
        raise UserError(f"data_dir=… has no effect here, since this dataset reads no files: leave it out, or {add}.")
    if everything and not dataset and "source" in chosen:
        raise UserError(f"split=all would measure what the model was trained on, read from data_dir={data_dir}: {add}.")
    if "sheet" in chosen and chosen["target"] is None and facts.target is None:  # a table
        raise UserError(
            f"dataset={dataset} does not say which column has the classes, and neither does the model: write two lines "
            f"into conf/dataset/new.yaml, defaults: [{dataset}] and target: <column>, and give dataset=new, and "
            "--config-dir=conf if that folder is your own."
        )
    if reading and "sheet" not in chosen:
        option = next(iter(reading))
        raise UserError(f"{option}=… is for tables in files, and this data is something else: leave it out.")


def test_on(data, part: str, class_names: list[str]) -> list[str]:
    """Make `part` of the data its test part, with the model's class indices as targets.

    class_names: the model's. Returns the data's names of these classes, in the model's order.
    Raises UserError if the classes of the data and of the model cannot be paired.
    """
    inputs, targets = data.splits[part]
    places, names = pair(data.class_names, class_names)
    data.splits["test"] = Split(inputs, torch.tensor(places)[targets])
    return names


def open_or_say_why(contents: dict, data_dir: str):
    """The datamodule of the checkpoint's training; None if it cannot be opened, after the reason has been printed."""
    try:
        return open_data(contents, data_dir=data_dir, download=False)
    except (UserError, OSError, RuntimeError) as error:
        say(f"The data could not be opened: {message_of(error)}")
        return None


def is_other(split: str, data, contents: dict, data_dir: str, sheet: str) -> bool:
    """Whether the data differs from the training's. contents: the description in the checkpoint."""
    trained_on = contents["config"]["dataset"]
    if split != "all":
        return data.checksum() != Facts.from_dict(contents).data
    if sheet not in ("", trained_on.get("sheet")):
        return True
    return absolute(data_dir) != trained_on.get("data_dir") and not is_copy(contents, data_dir)


def is_copy(contents: dict, data_dir: str) -> bool:
    """Whether the files at `data_dir` are those of the training in another place, which have the same checksum if they
    are divided as in the training."""
    with suppress(UserError, OSError, RuntimeError), redirect_stdout(None):
        return open_data(contents, data_dir=data_dir, download=False).checksum() == Facts.from_dict(contents).data
    return False


def note_seen(split: str, other: bool, dataset: str, data_dir: str, sheet: str, contents: dict, data) -> None:
    """Print a warning if examples of the training may be among those that are measured. other: see `is_other`.
    dataset, data_dir, sheet: as the command names them, or "". contents: the description in the checkpoint."""
    if split != "all":
        if other and not dataset:
            how = " If the model has not seen this data, split=all measures all of it." if data_dir else ""
            say(f"Note: this is not the data of the training: the part may hold training examples.{how}")
        return
    trained_on = contents["config"]["dataset"]
    if dataset and ("source" in trained_on or not data_dir):
        seen = dataset == contents["config"]["choices"]["dataset"]
    else:
        seen = not other or (not sheet and holds_training(data_dir, trained_on.get("data_dir") or ""))
    if seen:
        say("Note: the model was trained on this data, or on some of it: on new examples, its figures would be worse.")
    elif count := count_training_images(data, contents):
        of_all = f"{count:,} of {how_many(len(data.splits['test'].targets), 'image')} {agree(count, 'is', 'are')}"
        say(f"Note: {of_all} the same as a training image: on new images, the model's figures would be worse.")


def count_training_images(data, contents: dict) -> int:
    """How many images of the test part have the pixels of an image of the training, as far as that is still there."""
    if len(data.input_shape) != 3:
        return 0
    with suppress(UserError, OSError, RuntimeError), redirect_stdout(None):
        train = open_data(contents, download=False).splits["train"].inputs
        seen = data.splits["test"].inputs
        if isinstance(train, torch.Tensor) and isinstance(seen, torch.Tensor) and train[0].shape == seen[0].shape:
            parts = (one.split(1000) for one in (seen, train))  # as floats, all of them might fill the memory
            marks = (torch.cat([marks_of(some.flatten(1).float()) for some in part]) for part in parts)
            return int(torch.isin(*marks).sum())
    return 0


def holds_training(data_dir: str, trained_on: str) -> bool:
    """Whether the training's data may be among the files at data_dir, since one of these places is within the other;
    files within the training's that are named after validation or test are not. Both may be several paths, or a
    pattern."""
    for here, there in product(*(map(Path, paths_in(absolute(paths))) for paths in (data_dir, trained_on))):
        within = here.relative_to(there).parts if here.is_relative_to(there) else ()
        is_apart = any(part_named(name, by_words=True) in ("val", "test") for name in within)
        if there.is_relative_to(here) or here.match(str(there)) or (within and not is_apart):
            return True
    return False
