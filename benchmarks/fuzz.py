"""How the readers of checkpoints and data files deal with mutated files: `python benchmarks/fuzz.py`.

For each kind of file, `--files` copies are made in which bits, bytes or pieces are changed at random, and each copy is
read. Reading must end in a message that refuses the file, or in the same content as before; for kinds of files without
a checksum also in other values. The table counts these ends, and in its last column everything else, which is a bug.
It goes to benchmarks/results/fuzz.json. Takes less than a quarter of an hour, and needs no data.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from record import record
from support.fuzz import FUZZ, MAY_DIFFER

HEADER = "| file | mutated | refused in a sentence | read as it was | read with other values | anything else |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2500, help="mutated files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rows = []
    for kind, fuzz in FUZZ.items():
        number = chosen.files // 10 if kind == "digits" else chosen.files  # digits take 0.1 s a file
        with tempfile.TemporaryDirectory() as folder:
            seen = fuzz(Path(folder), number, chosen.seed)
        expected = [seen.pop(name, 0) for name in ("refused", "the same", "other")]
        if kind not in MAY_DIFFER and expected[2]:
            seen["other values"] = expected[2]
        rows.append(dict(zip(("refused", "same", "other"), expected, strict=True)))
        rows[-1] |= {"file": kind, "mutated": sum(expected) + seen.total(), "more": dict(seen) or 0}
    template = "| {file} | {mutated:,} | {refused:,} | {same:,} | {other:,} | {more} |"
    files, others = (sum(row[key] for row in rows) for key in ("mutated", "other"))
    sentence = f"{files:,} files ended in a named error or were read, {others:,} of them with other values"
    record("fuzz", HEADER, template, rows, *([] if any(row["more"] for row in rows) else [sentence]))


if __name__ == "__main__":
    main()
