"""Checks that what was read from a file is a configuration of plain values, before anything else looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proj.errors import UserError

MOST = 100_000  # values in a stored configuration


def check_plain(node: Any, file: str | Path, key: str = "", left: Iterator[int] | None = None) -> None:
    """Raises UserError unless `node` consists of mappings, lists, texts, numbers, true, false and null alone, MOST in
    all. left: how many may follow; lists that hold each other several times would take for ever."""
    left = iter(range(MOST)) if left is None else left
    if next(left, None) is None:
        raise UserError(f"{file} holds more than {MOST:,} settings (at {key[:80]}): treat it as malicious.")
    if isinstance(node, dict) and all(isinstance(name, str | int) for name in node) and (key or node):
        if not isinstance(node.get("_target_"), str | None):
            raise UserError(f"{file} does not name a class at {key or 'its top'}: treat it as malicious.")
        for name, value in node.items():
            check_plain(value, file, f"{key}.{name}" if key else str(name), left)
    elif isinstance(node, list | tuple) and key:
        for place, value in enumerate(node):
            check_plain(value, file, f"{key}[{place}]", left)
    elif not (key and (node is None or isinstance(node, str | int | float | dict))):
        raise UserError(f"{file} holds no configuration of this project, or a damaged one (at {key or 'its top'}).")
