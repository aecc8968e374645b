"""Measures how much each column of a table matters to a model: how much worse it does once that column is shuffled.

This is permutation importance (Breiman, 2001). All inputs of a column are shuffled together.
"""

from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from proj.config.quoting import typed
from proj.data.batches import counter_seed
from proj.data.datamodule import Split
from proj.data.facts import Facts
from proj.data.tables.input_column import InputColumn
from proj.data.tables.number_column import NumberColumn
from proj.models import Classifier
from proj.reports.verdicts import interval_of_mean
from proj.system.names import one_line
from proj.system.ranks import say
from proj.wording import how_many, share

SHUFFLES = 10  # of each column; fewer where they would exceed WORK even for SHOWN columns
MOST_ROWS, FEWEST_ROWS = 10_000, 200  # the most rows that are measured; the fewest, if there are so many
WORK = 5e11  # the budget of floating-point operations: about ten seconds
BATCH = 1000
SHOWN = 10  # the most columns in the terminal, and the fewest that are measured
FEWEST_TO_ASK = 30  # with fewer test examples, a column's own accuracy is too uncertain to suspect a leak


def columns_that_matter(model: Classifier, test: Split, facts: Facts, accuracy: float, train: Split | None) -> dict:
    """What evaluation.json says about the columns: `importance`, and `leaks`, which is empty without a training part.
    model: from a checkpoint, so that its logits are calibrated. test, accuracy: examples, and its accuracy on them."""
    columns = facts.columns or [NumberColumn(f"input {place}", 0.0, 1.0) for place in range(facts.input_shape[0])]
    test = Split(*(tensor.cpu() for tensor in test))
    found = importance(model, test.inputs.to(model.dtype), test.targets, columns)
    return {"importance": found, "leaks": leaks(found, train, test, columns, accuracy) if train else {}}


def importance(model: nn.Module, x: Tensor, targets: Tensor, columns: list[InputColumn]) -> list[dict[str, Any]]:
    """A row for each column, the one that matters most first: how much the log loss rises and the accuracy falls once
    it is shuffled, and over how many examples and shuffles this is the mean. If WORK does not suffice for all columns,
    only those with the largest `influence` are measured.

    model: (B, F) inputs -> (B, C) calibrated logits. x, targets: (N, F) and (N,), all examples.
    The 95 % intervals are those of a mean over examples; each example's value is its mean over the shuffles.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x[:1])
    predictions = WORK / max(counter.get_total_flops(), 1)  # that fit into the budget
    affordable = predictions / SHUFFLES  # rows × columns, if each column is shuffled SHUFFLES times
    size = int(min(len(x), MOST_ROWS, max(affordable / len(columns), FEWEST_ROWS)))
    draws = torch.Generator().manual_seed(counter_seed(0))
    rows = torch.randperm(len(x), generator=draws)[:size]
    x, targets = x[rows], targets[rows]
    shuffles = min(SHUFFLES, max(int(predictions / (size * min(SHOWN, len(columns)))), 1))
    parts, order = inputs_of(columns), list(range(len(columns)))
    if size * len(columns) > affordable:
        strength = influence(model, x, targets)
        order.sort(key=lambda place: -strength[parts[place]].sum().item())
    found, before = [], losses(model, x, targets)  # `before` any shuffle
    for place in order[: max(int(affordable / size), SHOWN)]:
        kept, worse = x[:, parts[place]].clone(), -before
        for repetition in range(shuffles):
            draws.manual_seed(counter_seed(0, repetition))
            x[:, parts[place]] = kept[torch.randperm(size, generator=draws)]
            worse = worse + losses(model, x, targets) / shuffles
        x[:, parts[place]] = kept
        measured = {"column": columns[place].name, "rows": size, "shuffles": shuffles}
        found.append(measured | means_and_intervals(worse))
    return sorted(found, key=lambda row: row["log_loss"], reverse=True)


def means_and_intervals(worse: Tensor) -> dict[str, float]:
    """The means over examples with Student's 95 % intervals, which are no wider than the mean if all values are equal.
    worse: (2, N), how much both `losses` of each example have risen."""
    figures = {}
    for name, values in zip(("log_loss", "accuracy"), worse, strict=True):
        mean = values.mean().item()
        low, high = interval_of_mean(values.tolist()) or (mean, mean)
        figures |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return {name: round(value, 6) for name, value in figures.items()}


def inputs_of(columns: list[InputColumn]) -> list[Tensor]:
    """For each column, the indices of its inputs among the network's inputs."""
    widths = [column.width for column in columns]
    return list(torch.arange(sum(widths)).split(widths))


@torch.no_grad()
def losses(model: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    """(2, N): the log loss of each example, and 1 if its class is predicted wrongly, else 0."""
    logits = torch.cat([model(part) for part in x.split(BATCH)]).double()
    mistaken = (logits.argmax(1) != targets).double()
    return torch.stack([F.cross_entropy(logits, targets, reduction="none"), mistaken])


def influence(model: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    """(F,): a first-order estimate of how much the losses change if each input is replaced by its mean."""
    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(given), targets), given)
    return (gradient * (x - x.mean(0))).abs().sum(0)


def leaks(
    found: list[dict], train: Split, test: Split, columns: list[InputColumn], accuracy: float
) -> dict[str, float]:
    """The columns that may leak the class, each with the accuracy that a decision tree reaches from it alone: at least
    95 % of what the model gains over always naming the most frequent class. Only the ten columns that matter most are
    tried.

    Empty if there are few examples or a single column, or if the model gains less than half of what it could.
    found: see `importance`. accuracy: the model's on `test`.
    """
    most = test.targets.bincount().max().item() / len(test.targets)
    if len(test.targets) < FEWEST_TO_ASK or len(columns) == 1 or accuracy - most < (1 - most) / 2:
        return {}
    from sklearn.tree import DecisionTreeClassifier  # here, since the import takes 1.6 s

    parts, alone = {column.name: part for column, part in zip(columns, inputs_of(columns), strict=True)}, {}
    rows = torch.randperm(len(train.targets), generator=torch.Generator().manual_seed(0))[:MOST_ROWS]
    for name in [row["column"] for row in found[:SHOWN]]:
        tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
        tree.fit(train.inputs[rows][:, parts[name]], train.targets[rows])
        alone[name] = float(tree.score(test.inputs[:, parts[name]], test.targets))
    return {name: reached for name, reached in alone.items() if reached - most >= 0.95 * (accuracy - most)}


def print_importance(metrics: dict, droppable: bool) -> None:
    """Print the ten columns that matter most, at most 80 characters wide, and a question about any that may leak.
    metrics: the content of evaluation.json. droppable: whether the dataset has the setting dataset.drop."""
    console, found, leaking = Console(highlight=False), metrics["importance"], metrics["leaks"]
    on = f", in {found[0]['rows']:,} of the examples" if found[0]["rows"] < metrics["examples"] else ""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("column", max_width=24, overflow="ellipsis", no_wrap=True)
    for header in ("log loss rises by", "accuracy falls by, points"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in found[:SHOWN]:
        # Adding 0.0 turns the -0.0 to which a small negative number is rounded into 0.0.
        losses = [round(row[f"log_loss{end}"], 3) + 0.0 for end in ("", "_low", "_high")]
        points = [round(100 * row[f"accuracy{end}"], 1) + 0.0 for end in ("", "_low", "_high")]
        loss, fall = "{:.3f} [{:.3f}, {:.3f}]".format(*losses), "{:.1f} [{:.1f}, {:.1f}]".format(*points)
        table.add_row(Text(one_line(row["column"])), loss, fall)
    console.print(f"when a column's values are shuffled, mean of {how_many(found[0]['shuffles'], 'shuffle')}{on}:")
    console.width = max(console.width, 80)  # a narrower terminal wraps the lines: rich would cut the numbers
    console.print(table)
    if len(found) > SHOWN:
        console.print(f"… and {len(found) - SHOWN} columns that matter less", style="dim")
    alone = ", ".join(f"{one_line(name)} {share(reached, '.1%')}" for name, reached in leaking.items())
    if len(leaking) > 1:
        say(f"Each of these columns alone gives almost the whole accuracy of {share(metrics['acc'], '.1%')}: {alone}.")
    if len(leaking) == 1:
        ((name, reached),) = leaking.items()
        without = f" {typed('dataset.drop', name, listed=True)} trains without it." if droppable else ""
        say(
            f"Does {one_line(name)} leak the class, or is it known before the class is? It alone gives an accuracy of "
            f"{share(reached, '.1%')}, and the model has {share(metrics['acc'], '.1%')}.{without}"
        )
