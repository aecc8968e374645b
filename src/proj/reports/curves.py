"""Reads the curves of a run from TensorBoard's files or metrics.csv, even while the run is still writing them."""

import csv
import struct
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event


def read_scalars(file: Path) -> dict[str, list[tuple[int, float]]]:
    """The train/ and val/ scalars in a file of TensorBoard's, tag -> [(step, value), …], up to where it is damaged."""
    scalars: dict[str, list[tuple[int, float]]] = {}
    content, start = file.read_bytes(), 0
    while start + 12 <= len(content):
        # A record is the event's length (8 bytes), a checksum (4 bytes), the event, and a checksum (4 bytes).
        (length,) = struct.unpack_from("<Q", content, start)
        record = content[start + 12 : start + 12 + length]
        start += length + 16
        if len(record) < length or not length:
            break  # the record is not yet written completely
        try:
            event = Event.FromString(record)
        except Exception:  # protobuf's DecodeError, whose class depends on the implementation
            break
        for value in event.summary.value:
            if value.tag.startswith(("train/", "val/")) and value.WhichOneof("value") == "simple_value":
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars


def read_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv without their empty cells; no rows if the file is missing or damaged."""
    if not file.is_file():
        return []
    try:
        with open(file, encoding="utf-8", newline="") as text:
            return [{tag: value for tag, value in row.items() if value} for row in csv.DictReader(text, strict=True)]
    except (OSError, ValueError, csv.Error):
        return []


def read_table(file: Path) -> dict[str, list[tuple[int, float]]]:
    """The train/ and val/ scalars in a metrics.csv, tag -> [(step, value), …]."""
    scalars: dict[str, list[tuple[int, float]]] = {}
    with suppress(ValueError, KeyError, TypeError, OverflowError):  # raised for a file of another program
        for row in read_rows(file):
            step = int(float(row.pop("step")))
            for tag in [tag for tag in row if tag.startswith(("train/", "val/"))]:
                scalars.setdefault(tag, []).append((step, float(row[tag])))
    return scalars
