"""Predictions for many inputs: stored compactly, put into words for the terminal, and written to a file."""

import itertools
import json
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from proj.data.photos.how_to_sort import PREDICTED
from proj.errors import UserError
from proj.pictures import drawing
from proj.system.files import csv_text, write_output
from proj.system.names import one_line, readable
from proj.system.ranks import say
from proj.training.calibration import in_prediction_set
from proj.wording import first_of, how_many, share

SHOWN = 30  # the most classes that are counted in the terminal


def answer(name: str, probabilities: Tensor, chosen: int, classes: list[str], limit: float | None) -> dict:
    """The prediction for one input, as it is written to a file.

    name: of the input. probabilities: (C,). chosen: the index of the predicted class, see `decided`.
    limit: from `prediction_set_limit`; the prediction then has a "set" of classes, most probable first. None: no set.
    """
    rounded = {label: round(share, 6) for label, share in zip(classes, probabilities.tolist(), strict=True)}
    best = classes[chosen]
    row = {"input": name, "class": best, "probability": rounded[best]}
    if limit is not None:
        members = in_prediction_set(probabilities, limit)
        order = probabilities.argsort(descending=True, stable=True).tolist()
        row["set"] = [classes[place] for place in order if members[place]]
    return {**row, "probabilities": rounded}


class Predictions(Sequence):
    """A sequence of predictions, see `answer`. Each dictionary is made when it is accessed, since it takes a kilobyte;
    only numbers are stored. classes, limit: see `answer`. skipped: those of the `files` that could not be read."""

    def __init__(self, classes: list[str], limit: float | None, files: int = 0) -> None:
        self.classes, self.limit, self.files = classes, limit, files
        self.names, self.chosen, self.shares = list[str](), array("l"), array("d")
        self.skipped = list[str]()

    def add(self, names: Sequence[str], chosen: Tensor, probabilities: Tensor) -> None:
        """Append a batch. names: of its B inputs. chosen: (B,), the indices of their classes. probabilities: (B, C)."""
        self.shares.extend(probabilities.flatten().tolist())
        self.chosen.extend(chosen.tolist())
        self.names += names  # last: their number is the length, so Ctrl-C before this line leaves no half prediction

    def refuse_skipped(self) -> None:
        """Raises UserError if files were skipped."""
        if self.skipped:
            files = how_many(self.files, "file")
            raise UserError(f"skipped {len(self.skipped)} of {files}: {readable(first_of(self.skipped, 5))}.")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int | slice) -> dict | list[dict]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        place, size = range(len(self))[place], len(self.classes)
        shares = torch.tensor(self.shares[place * size : (place + 1) * size], dtype=torch.float64)
        return answer(self.names[place], shares, self.chosen[place], self.classes, self.limit)


def is_unsure(row: dict) -> bool:
    """Whether a prediction has a set, and this is not of exactly one class."""
    return "set" in row and len(row["set"]) != 1


def doubt(row: dict) -> str:
    """The remark on a prediction that `is_unsure`; "" for any other."""
    if not is_unsure(row):
        return ""
    return f"unsure: {', '.join(map(one_line, row['set'])) or 'no class is likely enough'}"


def in_words(row: dict) -> list[str]:
    """The predicted class and then the most probable others, three in all, each with its probability."""
    shares, best = row["probabilities"], row["class"]
    order = sorted(shares, key=lambda label: (label == best, shares[label]), reverse=True)
    threshold = ["(by the threshold)"] if shares[best] < max(shares.values()) else []
    return [f"{one_line(label)} {share(shares[label], '.1%')}" for label in order[:3]] + threshold


def csv_rows(rows: Sequence[dict]) -> str:
    """The predictions as CSV, with a column for each class's probability, and one for the sets if there are any."""
    sets = ["set"] if "set" in rows[0] else []
    first = [*PREDICTED.split(","), *sets]

    def cells(row: dict) -> list:
        members = [json.dumps(row[name], ensure_ascii=False) for name in sets]
        return [row["input"], row["class"], row["probability"], *members, *row["probabilities"].values()]

    header = [*first, *(f"p({name})" if name in first else name for name in rows[0]["probabilities"])]
    return csv_text(itertools.chain([header], map(cells, rows)))


def is_written_by_predict(file: str) -> bool:
    """Whether a file begins as those that predict writes, a table, lines of JSON or a picture, or is empty."""
    with open(file, "rb") as opened:
        start = opened.read(100)
    return not start or start.startswith((PREDICTED.encode(), b'{"input": ')) or drawing.MARK in start


def write_rows(rows: Predictions, output: str, inverted: int) -> None:
    """Write the predictions to `output`, as CSV or else as lines of JSON, and print how often each class is predicted.
    inverted: how many pictures were inverted, which is printed too."""
    if output.endswith(".csv"):
        content = csv_rows(rows)
    else:
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_output(Path(output), content)
    counts = [f"{one_line(rows.classes[place])} {n:,}" for place, n in Counter(rows.chosen).most_common(SHOWN)]
    also = f", {inverted:,} inverted" if inverted else ""
    say(f"{output} ({len(rows):,} in all{also}): {', '.join(counts)}")
