"""A run's folder: the names of its files, and what they say of its state, read without torch."""

import json
from pathlib import Path
from typing import Any

import yaml

from proj.system.files import write_atomically
from proj.system.locks import is_locked

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's takes a tenth of the time


def parse_yaml(content: bytes) -> Any:
    try:
        return yaml.load(content, Loader)
    except yaml.YAMLError:  # libyaml refuses names of files that are no UTF-8
        return yaml.load(content, yaml.SafeLoader)


def flat(node: dict, joint: str, prefix: str = "") -> dict[str, Any]:
    """Nested keys joined into one; what is no number or text becomes text, so that all values compare."""
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            leaves |= flat(value, joint, f"{prefix}{key}{joint}")
        else:
            plain = value is None or isinstance(value, str | int | float)
            leaves[f"{prefix}{key}"] = value if plain else json.dumps(value, default=str)
    return leaves


def read(file: Path, parse, joint: str) -> dict[str, Any]:
    """Empty where the file is missing, damaged or half written: one run never stops the report."""
    try:
        content = file.read_bytes()
        content = parse(content) if content.endswith(b"\n") else None
        return flat(content, joint) if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}


def status(folder: Path) -> tuple[str, str]:
    """A run's, and the reason where it failed or was pruned."""
    if read(folder / "metrics.json", json.loads, "/"):
        return "finished", ""
    if is_locked(folder):
        return "running", ""
    if said := read(folder / "status.json", json.loads, "/"):
        return str(said.get("status")), str(said.get("reason"))
    if (folder / "last.ckpt").is_file() or (folder / "previous.ckpt").is_file():
        return "interrupted", ""
    return "started" if (folder / "config.yaml").is_file() or (folder / ".hydra").is_dir() else "queued", ""


def write_metrics(folder: Path, metrics: dict) -> None:
    write_atomically(folder / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())


def read_metrics(folder: Path) -> dict | None:
    file = folder / "metrics.json"
    return json.loads(file.read_bytes()) if file.is_file() else None


def write_status(folder: Path, status: str, reason: str) -> None:
    write_atomically(folder / "status.json", (json.dumps({"status": status, "reason": reason}) + "\n").encode())


def set_metrics_aside(folder: Path) -> None:
    """Before a finished run is trained on: without metrics.json it is finished no more, and its figures stay in
    metrics_10_epochs.json."""
    if metrics := read(folder / "metrics.json", json.loads, "/"):  # else there is none, or none that can be read
        (folder / "metrics.json").replace(folder / f"metrics_{metrics.get('epochs')}_epochs.json")


def write_facts(folder: Path, **facts) -> None:
    """run.json, what the report and a later start have to know of a run that may never come to its metrics.json.

    data: the checksum of all examples. steps_per_epoch: of the optimizer. saved: whether there was a last.ckpt.
    """
    write_atomically(folder / "run.json", (json.dumps(facts) + "\n").encode())
