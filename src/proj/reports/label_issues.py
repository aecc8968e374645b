"""Lists the examples whose labels may be wrong: models that did not see them in training predict another class."""

from collections import Counter
from collections.abc import Iterable

from proj.system.files import csv_text
from proj.wording import agree, how_many


def label_issues(answers: Iterable[tuple[str, str, dict[str, float]]]) -> tuple[str, str]:
    """(A table as CSV with the most doubtful label first, how many examples are predicted as another class, in words).

    answers: (example, its label, the probability of each class). The probabilities of an example that occurs several
    times are averaged. The order is by the label's probability minus that of the most probable other class.
    """
    labels: dict[str, str] = {}
    sums: dict[str, Counter[str]] = {}
    times: Counter[str] = Counter()
    for example, label, shares in answers:
        labels[example] = label
        sums.setdefault(example, Counter()).update(shares)
        times[example] += 1
    rows = []
    for example, label in labels.items():
        means = {name: total / times[example] for name, total in sums[example].items()}
        own = means.pop(label, 0.0)
        likely = max(means, key=means.get)
        rows.append((own - means[likely], example, label, round(own, 6), likely, round(means[likely], 6)))
    rows.sort(key=lambda row: row[0])
    header = ["example", "label", "p(label)", "likelier", "p(likelier)"]
    doubtful, size = sum(row[0] < 0 for row in rows), how_many(len(rows), "example")
    said = f"{doubtful:,} of {size} {agree(doubtful, 'is', 'are')} predicted as another class than labelled"
    return csv_text([header, *(row[1:] for row in rows)]), said
