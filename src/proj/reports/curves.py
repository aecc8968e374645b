"""The curves of a run, from TensorBoard's files and from metrics.csv, also of one that is being trained."""

import csv
import struct
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event


def read_scalars(file: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars in one of TensorBoard's files, tag -> [(step, value), …], up to where it is damaged or ends."""
    scalars: dict[str, list[tuple[int, float]]] = {}
    content, start = file.read_bytes(), 0
    while start + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, start)  # then 4 bytes of checksum, the event, 4 of checksum
        record = content[start + 12 : start + 12 + length]
        start += length + 16
        if len(record) < length or not length:
            break  # it is being written
        try:
            event = Event.FromString(record)
        except Exception:  # protobuf's DecodeError, which is another class in each of its implementations
            break
        for value in event.summary.value:
            if value.tag.startswith(("train/", "val/")) and value.WhichOneof("value") == "simple_value":
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars


def read_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv, each with what it holds; none where the file is missing or damaged."""
    try:
        with open(file, encoding="utf-8", newline="") as text:
            return [{tag: value for tag, value in row.items() if value} for row in csv.DictReader(text, strict=True)]
    except (OSError, ValueError, csv.Error):
        return []


def read_table(file: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars in a run's metrics.csv, as `read_scalars` has them."""
    scalars: dict[str, list[tuple[int, float]]] = {}
    with suppress(ValueError, KeyError, TypeError):  # it is another program's
        for row in read_rows(file):
            step = int(row.pop("step"))
            for tag in [tag for tag in row if tag.startswith(("train/", "val/"))]:
                scalars.setdefault(tag, []).append((step, float(row[tag])))
    return scalars
