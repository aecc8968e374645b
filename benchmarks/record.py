"""Prints what a benchmark has measured, and stores it in benchmarks/results/ with the machine, versions and commit.

Each benchmark hands its rows, and sentences with its numbers, to `record`, which writes benchmarks/results/<name>.json.
`python benchmarks/write_tables.py` then puts them into README.md and the files in docs/.
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
# Instructions for matrix products, the fastest first.
FLAGS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2"}


def git(*words: str) -> str:
    """The output of a git command in this repository; "" if it fails, for example without a repository."""
    try:
        command = ["git", "-C", str(RESULTS.parents[1]), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def stamp() -> dict:
    """The current commit, whether the code differs from it, and the time."""
    commit = git("rev-parse", "HEAD") or None
    changed = git("status", "--porcelain", "--", "src", "conf", "pyproject.toml")
    now = datetime.now(timezone.utc).isoformat(timespec="minutes")
    return {"commit": commit, "dirty": bool(changed) if commit else None, "date": now}


STARTED = stamp()  # at the start: commits that are made while a benchmark runs are not what it measures


def machine() -> dict:
    """The processor and its fast instructions, the threads and the GPU of this process, and the load of the machine."""
    import torch  # here, since a benchmark may measure the time of imports

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
        # The mean number of running programs over five minutes.
        "load": round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict:
    installed = {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}
    return {"python": platform.python_version()} | {name: installed[name] for name in PACKAGES if name in installed}


def command() -> str:
    """The command that started this process. Absolute paths are cut to their last name, to hide the user's folders."""
    words = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    return re.sub(r"(?<![\w.])(?:/[^/\s=,]+)+(?=/)", "…", " ".join(words))


def cells(line: str) -> list[str]:
    """Split a row of a Markdown table into its cells."""
    return re.split(r" *\| *", line.strip())[1:-1]


def table(columns: dict[str, str], rows: list[dict]) -> str:
    """A Markdown table. columns: from the title of each column to the template of its cells, for `str.format`.

    A column whose template contains a colon is aligned to the right, since it holds numbers.
    """
    lines = ["| " + " | ".join(columns) + " |"]
    lines.append("| " + " | ".join("---:" if ":" in form else "---" for form in columns.values()) + " |")
    lines += ["| " + " | ".join(form.format(**row) for form in columns.values()) + " |" for row in rows]
    return "\n".join(lines)


def record(name: str, header: str, template: str, rows: list[dict], *sentences: str, **facts) -> None:
    """Print a table and sentences, and write them to results/<name>.json. Raises ValueError if two titles are equal.

    header: the titles, as a row of a Markdown table: "| test accuracy | seconds |"
    template: a row as a template for `str.format`: "| {mean:.2f} ± {spread:.2f} % | {seconds:.0f} |"
    rows: the measured numbers by their names in the template; a row may have more than the table shows
    sentences: sentences with measured numbers, worded as in a document, whose numbers they will replace
    facts: further entries of the file, which replace commit, dirty, date, command and machine if they have these names
    """
    columns = dict(zip(titles := cells(header), cells(template), strict=True))
    if len(columns) < len(titles):
        raise ValueError(f"two columns have one title: {header}")
    about = {"command": command(), **STARTED, "machine": machine(), "versions": versions()} | facts
    file = RESULTS / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({**about, "columns": columns, "sentences": sentences}, indent=1, ensure_ascii=False)
    lines = [f"  {json.dumps(row, ensure_ascii=False)}" for row in rows]  # one row per line, so that diffs can be read
    file.write_text(head[:-2] + ',\n "rows": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")
    print(*([table(columns, rows)] if rows else []), *sentences, sep="\n", flush=True)
