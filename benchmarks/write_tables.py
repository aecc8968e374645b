"""Writes the measured numbers from benchmarks/results/ into README.md and docs/: `python benchmarks/write_tables.py`.

What stands between `<!-- table: FOLDER/NAME NAME ... -->` and `<!-- end -->` is replaced by a table with the rows of
these files, and by a line with their command, date, commit and machine. `<!-- table: FOLDER/NAME | TITLE; TITLE -->`
shows only the first column and those with these titles. A file may also have sentences: wherever a page has one of
them, with whatever numbers, it gets the measured ones. Takes a second.
"""

import argparse
import json
import re
from pathlib import Path

from record import FLAGS, RESULTS, table

ROOT = RESULTS.parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
MARK = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- end -->)", re.S)
NUMBER = r"\d[\d,.]*\d|\d"


def results() -> dict[str, dict]:
    """The contents of all result files, by their paths without the ending, such as "loop/mlp"."""
    files = sorted(RESULTS.rglob("*.json"))
    return {file.relative_to(RESULTS).with_suffix("").as_posix(): json.loads(file.read_text("utf-8")) for file in files}


def measured(result: dict, stars: str = "") -> str:
    """The date and the commit of a result, whether the code had uncommitted changes, and the stars of its machine."""
    changes = " and changes" if result["dirty"] else ""
    return f"{result['date'][:10]}, {result['commit'][:7]}{changes} {stars}".rstrip()


def machine(result: dict) -> str:
    """The machine of a result in words, without the load."""
    about = result["machine"]
    best = next((f" ({FLAGS[flag]})" for flag in FLAGS if flag in about["flags"]), "")
    words = [about["gpu"] or about["processor"] + best]
    words.append(f"{about['threads']} thread{'s' * (about['threads'] != 1)}" if about["threads"] else "")
    return ", ".join(filter(None, words))


def stars_of(found: list[dict]) -> dict[str, str]:
    """The machines of some results in words. The rows of the second are marked with a star, of the third with two."""
    return {name: place * "\\*" for place, name in enumerate(sorted({machine(result) for result in found}))}


def machines(found: list[dict]) -> list[str]:
    """The machines of some results in words, each once, with its stars and its load, or the range of its loads."""
    loads: dict[str, list[float]] = {}
    for result in found:
        noted = result["machine"]["load"]
        loads.setdefault(machine(result), []).extend([noted] if noted else [])
    words = []
    for name, stars in stars_of(found).items():
        seen = loads[name]
        least, most = min(seen, default=0), max(seen, default=0)
        load = f"load {most:g}" if least == most else f"loads of {least:g} to {most:g}"
        words.append(f"{stars} {name}".lstrip() + (f", {load}" if most >= 1.5 else ""))
    return words


def caption(found: list[dict]) -> str:
    """The line below a table: command, date, commit, machine. A table of several files has its dates in a column."""
    one = found[0]["command"] if len(found) == 1 else " ".join(found[0]["command"].split()[:2])
    words = [f"`{one}`", measured(found[0])] if len(found) == 1 else [f"`{one}`"]
    return "; ".join([*words, *machines(found)])


def names_of(mark: re.Match) -> list[str]:
    """The names of the results that a mark lists. Those after the first one are in the same folder."""
    first, *others = mark[2].partition(" | ")[0].split()
    return [first, *(f"{first.rpartition('/')[0]}/{name}" for name in others)]


def filled(mark: re.Match, known: dict[str, dict]) -> str:
    """The mark with a new table and the line below it. known: all results by their names."""
    titles = mark[2].partition(" | ")[2]
    found = [known[name] for name in names_of(mark)]
    columns, rows = dict(found[0]["columns"]), [row for result in found for row in result["rows"]]
    if titles:
        columns = {title: columns[title] for title in [next(iter(columns)), *titles.split("; ")]}
    if len(found) > 1:
        stars = stars_of(found)
        days = {name: measured(known[name], stars[machine(known[name])]) for name in names_of(mark)}
        rows = [row | {"measured": day} for name, day in days.items() for row in known[name]["rows"]]
        columns["measured"] = "{measured}"
    return f"{mark[1]}{table(columns, rows)}\n\n{caption(found)}\n{mark[3]}"


def with_numbers(text: str, sentence: str) -> str | None:
    """`text` with the numbers of `sentence`, where it has this sentence with any numbers; None if it lacks it."""
    parts = re.split(f"({NUMBER})", sentence)
    words = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in parts]
    found = re.search("".join(f"({NUMBER})" if place % 2 else word for place, word in enumerate(words)), text)
    if not found:
        return None
    for group, number in reversed(list(enumerate(parts[1::2], start=1))):
        text = text[: found.start(group)] + number + text[found.end(group) :]
    return text


def pages() -> tuple[dict[Path, str], list[str]]:
    """(The text that each page should have, the sentences that are on no page)."""
    known, lost = results(), []
    texts = {page: MARK.sub(lambda mark: filled(mark, known), page.read_text("utf-8")) for page in PAGES}
    for sentence in (sentence for result in known.values() for sentence in result["sentences"]):
        changed = {page: new for page, text in texts.items() if (new := with_numbers(text, sentence)) is not None}
        texts |= changed
        lost += [] if changed else [sentence]
    return texts, lost


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    texts, lost = pages()
    for page, text in texts.items():
        if text != page.read_text("utf-8"):
            page.write_text(text, encoding="utf-8")
            print(page.relative_to(ROOT))
    for sentence in lost:
        print(f"on no page: {sentence}")


if __name__ == "__main__":
    main()
