"""Prints the results of a run as a table."""

from textwrap import wrap

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from proj.config.monitors import BY_CLASS
from proj.system.names import one_line
from proj.system.run_folder import RunFolder
from proj.system.shell import as_command
from proj.wording import how_many, share

SHOWN = 40  # the table has the accuracies of at most so many classes, the lowest ones
SHARES = {"balanced": "balanced_acc", "macro F1": "macro_f1", "F1": "f1"}


def test_in_words(metrics: dict, monitor: str) -> str:
    """The test results for the table: accuracy, how many examples were tested, the monitored metric and the loss."""
    size, left_out = metrics.get("test_examples"), metrics.get("test_examples_left_out")
    whole = f" of the {size + left_out:,}" if left_out else ""
    part = f" of {size:,}{whole} test examples" if size else ""
    more = f"   {share(metrics['test/acc_tta'])} augmented" if "test/acc_tta" in metrics else ""
    own = monitor.replace("val/", "test/")
    if monitor.endswith(BY_CLASS) and own in metrics:
        more += f"   {own.removeprefix('test/')} {metrics[own]:.4f}"
    return f"{share(metrics['test/acc'])}{part}{more}   loss {metrics['test/loss']:.4f}"


def balanced_in_words(metrics: dict, end: str = "") -> str:
    """The test results in which all classes have the same weight, for the table. end: _threshold for those at it."""
    found = {word: metrics.get(f"test/{name}{end}") for word, name in SHARES.items()}
    auc = f"   AUC {share(metrics['test/auc'], '.3f')}" if "test/auc" in metrics and not end else ""
    return "   ".join(f"{word} {share(value)}" for word, value in found.items() if value is not None) + auc


def classes_in_words(accuracies: dict[str, float | None]) -> str:
    """The accuracy of each class with examples, for the table. Unlike rich, it breaks no line within a class."""
    known = {name: value for name, value in accuracies.items() if value is not None}
    shown = sorted(known, key=known.get)[:SHOWN] if len(known) > SHOWN else known
    words = "  ".join(f"{one_line(name)} {share(known[name], '.1%')}".replace(" ", "\u00a0") for name in shown)
    lines = "\n".join(wrap(words, 62))
    if more := len(known) - len(shown):
        lines += f"\nand {how_many(more, 'class')} with fewer mistakes: see metrics.json"
    return lines.replace("\u00a0", " ")


def print_table(metrics: dict, monitor: str, largest: float = 0.0) -> None:
    """Print the results of a run, at most 80 columns wide; only lines that are meant to be copied may be longer.
    largest: the share of the largest class in the test set, by which the accuracy may say little of the others."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True, min_width=len("test accuracy"))
    table.add_column(overflow="fold")
    if "test/acc" in metrics:
        table.add_row("test accuracy", test_in_words(metrics, monitor))
        if "test/balanced_acc" in metrics and largest > 2 / 3:
            table.add_row("classes alike", balanced_in_words(metrics))
            if "test/ap" in metrics:
                words = f"{one_line(metrics['positive'])}: average precision {share(metrics['test/ap'], '.3f')}"
                table.add_row("rarer class", Text(words))
        # `Text` is not parsed as markup, since a class may be called [red].
        table.add_row("per class", Text(classes_in_words(metrics["test/acc_per_class"])))
        if "test/acc_threshold" in metrics:  # below the figures of the most probable class
            words = f"{share(metrics['test/acc_threshold'])}   {balanced_in_words(metrics, '_threshold')}"
            table.add_row("at threshold", words)
    epochs, most = metrics["epochs"], metrics.get("max_epochs") or 0
    early = f" (stopped early: max_epochs={most})" if epochs < most else ""
    table.add_row("best epoch", f"{metrics['best_epoch']} of {epochs}{early}   {monitor} {metrics[monitor]:.4f}")
    table.add_row("parameters", f"{metrics['parameters']:,}")
    table.add_row("time", f"{metrics['seconds']:.1f} s   {metrics['examples_per_second']:,.0f} examples a second")
    console = Console(highlight=False)
    console.width = max(console.width, 40)  # a narrower terminal wraps the lines itself, which keeps words whole
    console.print(table)
    rows = {"checkpoint": metrics["checkpoint"]}
    if RunFolder(metrics["folder"]).curves():
        rows["dashboard"] = as_command(["tensorboard", "--logdir", metrics["folder"]])
    for name, text in rows.items():
        console.print(f"[bold]{name:<13}[/]  {escape(one_line(text))}", soft_wrap=True)
