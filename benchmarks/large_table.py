"""How long large CSV tables of various shapes take to load, and how much memory: `python benchmarks/large_table.py`.

Writes each table to a temporary file, and loads it with `dataset=csv` in a process of its own. "seconds" are CPU
seconds of one thread. "memory" is how far the peak memory of that process exceeds its memory before loading. The last
column divides it by the size of the file plus the size of the float32 inputs made from it. All tables take a few
minutes. `python benchmarks/large_table.py 0.1 'two columns'` loads one table with a tenth of its rows. The results go
to benchmarks/results/large_table.json.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from record import record

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.system.files import write_atomically

RANDOM = np.random.default_rng(0)


def numbers(rows: int, form: str = "%.4f", mark: str = ".") -> list[str]:
    return [(form % x).replace(".", mark) for x in RANDOM.normal(size=rows) * 100]


def words(rows: int, different: int = 4) -> list[str]:
    return [f"word{code}" for code in RANDOM.integers(0, different, rows)]


def gaps(rows: int) -> list[str]:
    return ["" if code % 10 == 0 else f"{code / 7:.3f}" for code in RANDOM.integers(0, 10**6, rows)]


def texts(rows: int) -> list[str]:
    return [f"a text of its own {code} " + "and more of it " * 50 for code in RANDOM.integers(0, 10**9, rows)]


def ambiguous(rows: int) -> list[str]:
    """Numbers such as 123.456, whose point may be a decimal mark or separate thousands."""
    return [f"{whole}.{part}" for whole, part in RANDOM.integers(100, 1000, (rows, 2)).tolist()]


Columns = list[tuple[int, Callable[[int], list[str]]]]
# The name of each table: (rows, classes, [(number of columns, the function that makes one), ...])
TABLES: dict[str, tuple[int, int, Columns]] = {
    "numbers and words": (1_000_000, 2, [(24, numbers), (5, words)]),
    "decimal commas": (1_000_000, 2, [(24, lambda rows: numbers(rows, "%.2f", ",")), (5, words)]),
    "a gap in every tenth cell": (1_000_000, 2, [(24, gaps), (5, words)]),
    "numbers such as 123.456 alone": (1_000_000, 2, [(24, ambiguous), (5, words)]),
    "two columns": (5_000_000, 2, [(1, numbers)]),
    "2,000 columns": (5_000, 2, [(2_000, numbers)]),
    "long texts": (100_000, 2, [(3, texts), (1, numbers)]),
    "50,000 words": (1_000_000, 2, [(5, lambda rows: words(rows, 50_000))]),
    "10,000 classes": (1_000_000, 10_000, [(5, numbers)]),
}


def write(file: Path, name: str, rows: int) -> None:
    """Write a table as a CSV file. Its last column holds the classes."""
    _, classes, columns = TABLES[name]
    made = [make(rows) for count, make in columns for _ in range(count)]
    made.append([f"class{code}" for code in RANDOM.permutation(rows) % classes])
    header = ";".join([*(f"c{i}" for i in range(len(made) - 1)), "y"])
    write_atomically(file, "\n".join([header, *map(";".join, zip(*made, strict=True))]).encode())


def memory(kind: str) -> float:
    """The memory of this process in MB: "VmRSS" for the present, "VmHWM" for the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(kind))


def load(file: Path, *others) -> tuple[float, float, float]:
    """Load a table: (CPU seconds, MB of memory beyond the imports, MB of the inputs)."""
    data = build(configure("dataset=csv", f"data_dir={file}", "dataset.target=y", "hydra.run.dir=.").dataset)
    before, start = memory("VmRSS"), time.process_time()
    data.setup()
    seconds, most = time.process_time() - start, memory("VmHWM")
    return seconds, most - before, sum(split.inputs.nbytes for split in data.splits.values()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "share", nargs="?", type=float, default=1.0, help="the share of the rows to make, for example 0.1"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(TABLES)}")
    asked = parser.parse_args()
    share, chosen = asked.share, asked.names or TABLES
    torch.set_num_threads(1)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            file, rows = Path(folder) / "table.csv", int(TABLES[name][0] * share)
            apart = multiprocessing.get_context("fork")
            for task in (write, load):  # each in a new process, so that earlier work does not count as its memory
                with apart.Pool(1, os.dup2, (os.open(os.devnull, os.O_WRONLY), 1)) as pool:
                    result = pool.apply(task, (file, name, rows))
            seconds, most, inputs = result
            size = file.stat().st_size / 1e6
            found.append({"table": name, "rows": rows, "file": size, "inputs": inputs, "seconds": seconds})
            found[-1] |= {"memory": most, "own": most / (size + inputs)}
            print(name, f"{seconds:.1f} s", flush=True)
    header = "| table | rows | file, MB | inputs, MB | seconds | memory, MB | ÷ file and inputs |"
    template = "| {table} | {rows:,} | {file:,.0f} | {inputs:,.0f} | {seconds:.1f} | {memory:,.0f} | {own:.1f} |"
    record("large_table", header, template, found)


if __name__ == "__main__":
    main()
