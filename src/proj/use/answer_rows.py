"""What is written of an input that a model has seen: its row of a file, and the words in the terminal."""

import json

from torch import Tensor

from proj.system.files import csv_text
from proj.system.platform import one_line
from proj.training.calibration import belong


def answer(name: str, probabilities: Tensor, chosen: int, classes: list[str], limit: float | None) -> dict:
    """What is written of an input. chosen: the place of its class, see `decided`. limit: of its set, see
    `most_unlikely`, whose classes begin with the most probable one; None leaves the set out."""
    order = probabilities.argsort(descending=True, stable=True).tolist()
    rounded = {label: round(share, 6) for label, share in zip(classes, probabilities.tolist(), strict=True)}
    best = classes[chosen]
    row = {"input": name, "class": best, "probability": rounded[best]}
    if limit is not None:
        members = belong(probabilities, limit)
        row["set"] = [classes[place] for place in order if members[place]]
    return {**row, "probabilities": rounded}


def doubt(row: dict) -> str:
    """What the terminal says of a set that is not of one class."""
    if len(row.get("set", [""])) == 1:
        return ""
    return f"unsure: {', '.join(map(one_line, row['set'])) or 'no class is likely enough'}"


def in_words(row: dict) -> list[str]:
    """The class of an answer, and of the others the most probable ones, three in all, each with its share."""
    shares, best = row["probabilities"], row["class"]
    order = sorted(shares, key=lambda label: (label == best, shares[label]), reverse=True)
    threshold = ["(by the threshold)"] * (shares[best] < max(shares.values()))
    return [f"{one_line(label)} {shares[label]:.1%}" for label in order[:3]] + threshold


def csv_rows(rows: list[dict], classes: list[str]) -> str:
    """A column for each class's probability, and one for the set, as JSON, where there are sets."""
    sets = ["set"] if rows and "set" in rows[0] else []
    first = ["input", "class", "probability", *sets]
    table = [[*first, *(f"p({name})" if name in first else name for name in classes)]]
    for row in rows:
        members = [json.dumps(row[name], ensure_ascii=False) for name in sets]
        table.append([row["input"], row["class"], row["probability"], *members, *row["probabilities"].values()])
    return csv_text(table, "\r\n")


def json_lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
