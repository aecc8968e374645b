"""Prints an evaluation: its figures, and a row for each class."""

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proj.system.names import one_line
from proj.wording import how_many, share

SHOWN = 30  # the most classes in the table


def cut(name: str) -> str:
    """A name in at most 24 columns of the terminal."""
    return name if cell_len(name) <= 24 else f"{set_cell_size(name, 23)}…"


def print_evaluation(metrics: dict, columns: list[str]) -> None:
    """Print the figures of all examples together, without the threshold and at it if the model has one, and then the
    classes with the lowest accuracy first, at most 80 characters wide.

    metrics: the content of evaluation.json, with the confusion matrix as a tensor. columns: the model's class names,
    which head the matrix's columns.
    """
    console = Console(highlight=False)
    how = ", augmented" if metrics["tta"] else ""
    top3 = f"   top-3 {share(metrics['top3_acc'])}" if len(columns) > 3 else ""
    auc = f"   AUC {share(metrics['auc'], '.4f')}" if "auc" in metrics else ""
    part = "" if metrics["split"] == "all" else f"{metrics['split']} "
    before = f" ({metrics['calibration_error_before']:.2%} before)" if metrics["temperature"] != 1 else ""
    console.print(
        f"{how_many(metrics['examples'], f'{part}example')} of {metrics['dataset']}{how}\n"
        f"[bold]accuracy {share(metrics['acc'])}[/]{top3}   balanced {share(metrics['balanced_acc'])}   "
        f"macro F1 {share(metrics['macro_f1'])}{auc}\n"
        f"loss {metrics['loss']:.4f}   calibration error {metrics['calibration_error']:.2%}{before}"
    )
    if "ap" in metrics:
        print(f"average precision of class {cut(one_line(metrics['positive']))}: {share(metrics['ap'], '.4f')}")
    if known := metrics["coverage"]:
        console.print(
            f"sets at coverage {known['asked']:.4g}: {share(known['measured'])} hold the right class   "
            f"size {known['classes']:.2f}   unsure {share(known['unsure'], '.1%')}"
        )
    if at := metrics["threshold"]:
        where = f"class {one_line(at['class'])} from {at['probability']:.4g} on" if "class" in at else at["asked"]
        console.print(f"That is for the most probable class. At the threshold, {where}:", markup=False)
        alike = f"balanced {share(at['balanced_acc'])}   macro F1 {share(at['macro_f1'])}"
        console.print(f"[bold]accuracy {share(at['acc'])}[/]   {alike}")
        if "cost" in at:
            print(f"an example costs {at['cost']:.4f}")
        if "recall" in at:
            print(f"precision {share(at['precision'])}   recall {share(at['recall'])}   F1 {share(at['f1'])}")
    print_classes(metrics, columns, console)


def print_classes(metrics: dict, columns: list[str], console: Console) -> None:
    """Print the table of the classes with the lowest accuracies, and what they are most often taken for."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("class", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    # In a terminal of less than 80 columns, let the lines wrap: rich would cut the numbers.
    console.width = max(console.width, 80)
    width = console.width - 48
    table.add_column("most often taken for", max_width=width, overflow="ellipsis", no_wrap=True)
    classes = enumerate(metrics["acc_per_class"].items())
    rows = [(accuracy, place, name) for place, (name, accuracy) in classes if accuracy is not None]
    for accuracy, place, name in sorted(rows, key=lambda row: row[0])[:SHOWN]:
        counts = metrics["confusion"][place].tolist()
        others = sorted(((n, columns[j]) for j, n in enumerate(counts) if n and j != place), reverse=True)[:2]
        confused = [f"{cut(one_line(other))} {share(n / sum(counts), '.1%')}" for n, other in others]
        if cell_len(", ".join(confused)) > width:
            del confused[1:]  # half of a number would be misread
        table.add_row(Text(cut(one_line(name))), f"{sum(counts):,}", share(accuracy), Text(", ".join(confused)))
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"… and {how_many(len(rows) - SHOWN, 'class')} with fewer mistakes", style="dim")
