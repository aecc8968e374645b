"""Checks that what was read from a file is a configuration of plain values, before anything else looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proj.errors import UserError

MOST = 100_000  # values in a stored configuration


def parts_of(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(Key, value) of a configuration and of everything within it, also in lists; the key of the whole is empty."""
    yield key, node
    if isinstance(node, dict):
        for name, value in node.items():
            yield from parts_of(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list | tuple):
        for place, value in enumerate(node):
            yield from parts_of(value, f"{key}[{place}]")


def check_plain(config: Any, file: str | Path) -> None:
    """Raises UserError unless `config` consists of mappings, lists, texts, numbers, true, false and null alone, MOST in
    all: lists that hold each other several times would take for ever."""
    for count, (key, node) in enumerate(parts_of(config)):
        if count == MOST:
            raise UserError(f"{file} holds more than {MOST:,} settings (at {key[:80]}): treat it as malicious.")
        names_settings = isinstance(node, dict) and node and all(isinstance(name, str | int) for name in node)
        if not (isinstance(node, dict | list | tuple | str | int | float | None) if key else names_settings):
            raise UserError(f"{file} holds no configuration of this project, or a damaged one (at {key or 'its top'}).")
        if isinstance(node, dict) and not isinstance(node.get("_target_"), str | None):
            raise UserError(f"{file} does not name a class at {key or 'its top'}: treat it as malicious.")
