"""Write the figures of README.md and docs/ from benchmarks/results/: `python benchmarks/write_tables.py`.

What stands between `<!-- table: FOLDER/NAME NAME ... -->` and `<!-- end -->` becomes the rows of these files and where
they come from; `<!-- table: FOLDER/NAME | TITLE; TITLE -->` shows the first column and those. A sentence of a file gets
its numbers wherever it stands.
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
    files = sorted(RESULTS.rglob("*.json"))
    return {file.relative_to(RESULTS).with_suffix("").as_posix(): json.loads(file.read_text("utf-8")) for file in files}


def measured(result: dict) -> str:
    """The day and the commit of a result."""
    return f"{result['date'][:10]}, {result['commit'][:7]}" + (" and changes" if result["dirty"] else "")


def machine(result: dict) -> str:
    """The machine of a result in words, without its load."""
    about = result["machine"]
    best = next((f" ({FLAGS[flag]})" for flag in FLAGS if flag in about["flags"]), "")
    words = [about["gpu"] or about["processor"] + best]
    words.append(f"{about['threads']} thread{'s' * (about['threads'] != 1)}" if about["threads"] else "")
    return ", ".join(filter(None, words))


def machines(found: list[dict]) -> list[str]:
    """The machines of some results in words, each once, with the loads that they had."""
    loads: dict[str, list[float]] = {}
    for result in found:
        noted = result["machine"]["load"]
        loads.setdefault(machine(result), []).extend([noted] if noted else [])
    words = []
    for name, seen in sorted(loads.items()):
        least, most = min(seen, default=0), max(seen, default=0)
        load = f"load {most:g}" if least == most else f"loads of {least:g} to {most:g}"
        words.append(f"{name}, {load}" if most >= 1.5 else name)
    return words


def caption(found: list[dict]) -> str:
    """Where the rows of a table come from: a table of several files has days and commits in its last column."""
    one = found[0]["command"] if len(found) == 1 else " ".join(found[0]["command"].split()[:2])
    words = [f"`{one}`", measured(found[0])] if len(found) == 1 else [f"`{one}`"]
    return "; ".join([*words, *machines(found)])


def names_of(mark: re.Match) -> list[str]:
    """The results of a table: those after the first lie in its folder."""
    first, *others = mark[2].partition(" | ")[0].split()
    return [first, *(f"{first.rpartition('/')[0]}/{name}" for name in others)]


def made(mark: re.Match, known: dict[str, dict]) -> str:
    titles = mark[2].partition(" | ")[2]
    found = [known[name] for name in names_of(mark)]
    columns, rows = dict(found[0]["columns"]), [row for result in found for row in result["rows"]]
    if titles:
        columns = {title: columns[title] for title in [next(iter(columns)), *titles.split("; ")]}
    if len(found) > 1:
        rows = [row | {"measured": measured(result)} for result in found for row in result["rows"]]
        columns["measured"] = "{measured}"
    return f"{mark[1]}{table(columns, rows)}\n\n{caption(found)}\n{mark[3]}"


def with_numbers(text: str, sentence: str) -> str | None:
    """`text` with the numbers of `sentence` where it stands with others; None if it does not stand there."""
    parts = re.split(f"({NUMBER})", sentence)
    words = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in parts]
    found = re.search("".join(f"({NUMBER})" if place % 2 else word for place, word in enumerate(words)), text)
    if not found:
        return None
    for group, number in reversed(list(enumerate(parts[1::2], start=1))):
        text = text[: found.start(group)] + number + text[found.end(group) :]
    return text


def pages() -> tuple[dict[Path, str], list[str]]:
    """(What each page should say, the sentences that stand on no page)."""
    known, lost = results(), []
    texts = {page: MARK.sub(lambda mark: made(mark, known), page.read_text("utf-8")) for page in PAGES}
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
        print(f"stands on no page: {sentence}")


if __name__ == "__main__":
    main()
