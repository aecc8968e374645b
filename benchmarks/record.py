"""What a benchmark found, printed and kept: a table or sentences, with what they were measured on and from.

Each benchmark hands its rows to `record`, which prints them and writes benchmarks/results/<name>.json. The tables and
the sentences of README.md and docs/ are made from these files by `python benchmarks/write_tables.py`.
"""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "numpy", "scikit-learn")
FLAGS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2"}  # the best one first


def git(*words: str) -> str:
    """What git says of the checkout, "" where there is none."""
    try:
        command = ["git", "-C", str(RESULTS.parents[1]), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def stamp() -> dict:
    """The commit that is measured, whether the code differs from it, and the time."""
    commit = git("rev-parse", "HEAD") or None
    changed = git("status", "--porcelain", "--", "src", "conf", "pyproject.toml")
    now = datetime.now(timezone.utc).isoformat(timespec="minutes")
    return {"commit": commit, "dirty": bool(changed) if commit else None, "date": now}


STARTED = stamp()  # what may be committed while a benchmark runs is not what it measures


def machine() -> dict:
    """The processor and what it can multiply, threads and GPU of this process, and how busy the machine was."""
    import torch  # not above: a benchmark may measure what is imported

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    except OSError:
        facts = {}
    known = facts.get("flags", "").split()
    return {
        "processor": " ".join((facts.get("model name") or platform.processor() or platform.machine()).split()),
        "family": facts.get("cpu family"),
        "flags": [flag for flag in FLAGS if flag in known],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else None,  # programs that want to run
    }


def versions() -> dict:
    installed = {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}
    return {"python": platform.python_version()} | {name: installed[name] for name in PACKAGES if name in installed}


def command() -> str:
    """The command that runs, with the last name alone of folders that are given from the root."""
    words = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    return re.sub(r"(?<![\w.])(?:/[^/\s=,]+)+(?=/)", "…", " ".join(words))


def cells(line: str) -> list[str]:
    return re.split(r" *\| *", line.strip())[1:-1]


def table(columns: dict[str, str], rows: list[dict]) -> str:
    """A Markdown table: each cell is its column's template filled in from its row.

    A column stands at the right if its template has a colon, as those of numbers do.
    """
    lines = ["| " + " | ".join(columns) + " |"]
    lines.append("| " + " | ".join("---:" if ":" in form else "---" for form in columns.values()) + " |")
    lines += ["| " + " | ".join(form.format(**row) for form in columns.values()) + " |" for row in rows]
    return "\n".join(lines)


def record(name: str, header: str, template: str, rows: list[dict], *sentences: str, **facts) -> None:
    """Print a table and sentences, and write them into results/<name>.json.

    header: the titles as in Markdown, "| test accuracy | seconds |"
    template: what `str.format` makes a line of, from a row, "| {mean:.2f} ± {spread:.2f} % | {seconds:.0f} |"
    rows: the numbers as they were measured; more may be in a row than is shown
    sentences: as they stand in a document, which gets their numbers
    facts: in place of what is found out here: commit, dirty, date, command, machine
    """
    columns = dict(zip(titles := cells(header), cells(template), strict=True))
    if len(columns) < len(titles):
        raise ValueError(f"two columns have one title: {header}")
    about = {"command": command(), **STARTED, "machine": machine(), "versions": versions()} | facts
    file = RESULTS / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({**about, "columns": columns, "sentences": sentences}, indent=1, ensure_ascii=False)
    lines = [f"  {json.dumps(row, ensure_ascii=False)}" for row in rows]  # a line a row: changes can be read
    file.write_text(head[:-2] + ',\n "rows": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")
    print(*([table(columns, rows)] if rows else []), *sentences, sep="\n", flush=True)
