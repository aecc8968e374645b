"""The figures of README.md and docs/ are those that the benchmarks wrote."""

import importlib
import json
import os
import re
import runpy
import shlex
import sys

import pytest
from support.pages import PAGES, ROOT
from support.processes import in_child

sys.path.append(str(ROOT / "benchmarks"))
import write_tables

RESULTS = write_tables.results()
SMALLEST = {  # of each benchmark the shortest of its measurements that needs no data and no packages of its own
    "accuracy": "iris_tutorial --seeds 3",
    "backbones": "--rounds 1",
    "calibration": "digits --seeds 1",
    "cifar10_fast": "--rounds 1 --batches 1",
    "faults": "epochs 'data file' code 'batch larger'",
    "folds": "--sets 2 --kills 1",
    "fuzz": "--files 10",
    "growth": "defaults",
    "image_folder": "--images 200 --threads 1",
    "kill": "iris_tutorial --kills 1",
    "large_table": "0.0001 'two columns'",
    "loop": "--rounds 1",
    "memory": "--epochs 10 --runs 10",
    "report": "--runs 3",
    "search": "--trials 4 --seconds 0.1 --kills 1",
    "startup": "--rounds 1",
    "step": "--rounds 1",
    "sweep": "--jobs 2 --commands 1",
    "tutorial": "windows_ml_cifar10 --rounds 1",
    "verdicts": "--sweeps 6",
}
AGAIN = "; run python benchmarks/write_tables.py"


def test_every_table_and_sentence_of_the_documents_is_what_the_results_say():
    texts, lost = write_tables.pages()
    old = [page.name for page, text in texts.items() if text != page.read_text(encoding="utf-8")]
    assert not old, f"{old} and benchmarks/results differ{AGAIN}"
    assert not lost, f"no document has the sentences {lost}"


def test_every_table_of_figures_is_made_from_a_result():
    """Figures stand at the right of their column, in what is made and nowhere else."""
    for page in PAGES:
        by_hand = write_tables.MARK.sub("", page.read_text(encoding="utf-8"))
        assert "---:" not in by_hand, f"{page.name} has a table of figures without a mark <!-- table: … -->"


def test_every_result_is_shown_or_said():
    marks = [mark for page in PAGES for mark in write_tables.MARK.finditer(page.read_text(encoding="utf-8"))]
    shown = {name for mark in marks for name in write_tables.names_of(mark)}
    silent = {name for name, result in RESULTS.items() if not result["sentences"]} - shown
    assert not silent


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_says_what_it_was_measured_with_and_nothing_of_whose_machine(name):
    result = RESULTS[name]
    script = re.match(r"python (benchmarks/\w+\.py)", result["command"])
    assert script and (ROOT / script[1]).is_file()
    assert result["machine"].keys() >= {"processor", "flags", "cores", "threads", "gpu", "system"}
    assert re.match(r"\d{4}-\d\d-\d\d", result["date"])
    assert result["commit"] and result["versions"]["torch"]
    text = json.dumps(result, ensure_ascii=False)
    assert not re.search(r"(?<![\w.…*])/(home|root|work|tmp|Users|var|mnt)\b|\w+://|\\\\|@", text)


@pytest.mark.parametrize("preset", sorted((ROOT / "conf/preset").glob("*_*.yaml")), ids=lambda file: file.stem)
def test_the_header_of_a_preset_has_the_accuracy_and_the_time_that_were_measured(preset):
    (row,) = RESULTS[f"accuracy/{preset.stem}"]["rows"]
    header, seconds = preset.read_text(encoding="utf-8"), row["fastest"]
    assert f"{row['accuracy']:.2f} ± {row['spread']:.2f} %" in header and f"({row['seeds']} seeds" in header
    assert "augmented" not in row or f"{row['augmented']:.2f} ± {row['augmented_spread']:.2f} %" in header
    times = (f"{seconds:.1f} s", f"{seconds:.0f} s", f"{seconds / 60:.0f} minutes")
    assert any(f"in {time} on one thread" in header.replace("\n# ", " ") for time in times)


@pytest.mark.parametrize("name", [name for name in RESULTS if name.startswith("accuracy/")])
def test_an_accuracy_is_a_mean_over_three_seeds_or_more(name):
    (row,) = RESULTS[name]["rows"]
    assert row["seeds"] >= 3


def test_a_result_becomes_a_table_and_sentences_get_its_numbers(tmp_path, monkeypatch, capsys):
    record = importlib.import_module("record")
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["/home/someone/benchmarks/loop.py", "--folder=/home/someone/runs", "mlp"])
    rows = [{"what": "by hand", "time": 1234.5, "unseen": [1, 2]}]
    record.record("a/b", "| loop | µs |", "| {what} | {time:,.0f} |", rows, "takes 1,234 µs a step")
    result = json.loads((tmp_path / "a/b.json").read_text(encoding="utf-8"))
    assert result["command"] == "python benchmarks/loop.py --folder=…/runs mlp" and result["rows"] == rows
    assert "| loop | µs |\n| --- | ---: |\n| by hand | 1,234 |\ntakes 1,234 µs" in capsys.readouterr().out
    with pytest.raises(ValueError, match="two columns have one title"):  # of which one would be lost
        record.record("a/c", "| head | head |", "| {what} | {time} |", rows)
    assert write_tables.with_numbers("It takes 7\nµs a step.", "takes 1,234 µs a step") == "It takes 1,234\nµs a step."
    assert write_tables.with_numbers("It takes long.", "takes 1,234 µs a step") is None


def test_a_table_says_which_of_its_rows_another_machine_measured():
    mark = write_tables.MARK.search("<!-- table: a/new old -->\n<!-- end -->")
    here, there = ({"gpu": None, "processor": name, "flags": [], "threads": 1, "load": 0.5} for name in ("ABC", "XYZ"))
    result = {"command": "python b.py", "commit": "0123456789", "dirty": False, "columns": {"what": "{what}"}}
    known = {
        "a/new": result | {"date": "2026-11-30", "machine": there, "rows": [{"what": "quick"}]},
        "a/old": result | {"date": "2026-11-26", "machine": here, "rows": [{"what": "slow"}]},
    }
    text = write_tables.filled(mark, known)
    assert "| quick | 2026-11-30, 0123456 \\* |\n| slow | 2026-11-26, 0123456 |" in text
    assert "`python b.py`; ABC, 1 thread; \\* XYZ, 1 thread" in text


def test_each_part_of_an_epoch_that_a_benchmark_times_is_a_function_of_this_project():
    step = importlib.import_module("step")
    for name, (owner, attribute) in {**step.PARTS, **step.OF_AN_EPOCH}.items():
        timed = getattr(owner, attribute, None)
        assert timed and timed.__module__.startswith("proj."), name  # an inherited hook of Lightning's does nothing


@pytest.mark.benchmark
@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_measures_and_keeps_what_it_found(name, tmp_path):
    file = ROOT / "benchmarks" / f"{name}.py"

    def measure() -> list[str]:
        os.chdir(tmp_path)
        importlib.import_module("record").RESULTS = tmp_path
        sys.argv = [str(file), *shlex.split(SMALLEST[name])]
        runpy.run_path(str(file), run_name="__main__")
        return ["ended", *map(str, tmp_path.rglob("*.json"))]

    assert len(in_child(measure)) > 1 or name == "faults"
