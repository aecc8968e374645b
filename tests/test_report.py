"""python -m proj.report: which runs make a row, what a row says, and the files of a report."""

import json
import os
import shutil
import statistics
from pathlib import Path
from threading import Thread

import pytest
import yaml
from support.made_runs import change, config, write_events, write_run
from support.photos import write_photos
from support.tables import read_rows

from proj.config.explain import sentences
from proj.errors import UserError
from proj.reports import charts
from proj.reports.columns import choose_columns
from proj.reports.compare import compare
from proj.reports.conclusions import by_data, conclude
from proj.reports.report import report
from proj.reports.runs import Run, find_runs, read_run
from proj.reports.table import written
from proj.sweeps.sweep_file import read_manifest
from proj.system.run_folder import RunFolder, read_flat
from proj.training.run import train
from proj.wording import percent, share


def made(folder) -> dict:
    return compare(find_runs([folder]))


def test_runs_that_differ_in_the_seed_alone_are_one_row_with_mean_and_deviation(tmp_path, capsys):
    for seed, accuracy in enumerate((0.90, 0.92, 0.97)):
        write_run(tmp_path / f"{seed}", accuracy, seed=seed, seconds=10.0 + seed)
    (row,) = report([tmp_path])["rows"]
    assert row["val/acc"] == pytest.approx((0.93, statistics.stdev((0.90, 0.92, 0.97)), 3))
    assert row["test/acc"][0] == pytest.approx(0.92) and row["seconds"][0] == 11 and row["parameters"][0] == 1234
    text = capsys.readouterr().out
    assert "93.00 ± 3.61 (3)" in text and "1,234" in text and "11.0" in text and str(tmp_path / "2/best.ckpt") in text


def test_the_best_is_first_by_the_monitor_and_its_mode(tmp_path):
    for lr, accuracy in ((0.1, 0.5), (0.2, 0.9), (0.3, 0.7)):
        folder = write_run(tmp_path / f"{lr}", accuracy, lr=lr)
    assert [row["settings"] for row in made(tmp_path)["rows"]] == [[0.2], [0.3], [0.1]]
    for folder in tmp_path.iterdir():  # the best val/loss of a run is 2 - its accuracy
        change(folder / "config.yaml", {"monitor": "val/loss", "mode": "min"})
    rows = made(tmp_path)["rows"]
    assert [row["settings"] for row in rows] == [[0.2], [0.3], [0.1]]
    assert rows[0]["val/loss"][0] == pytest.approx(1.1)


def test_columns_are_what_differs_and_the_rest_is_said_once(tmp_path, capsys):
    for model in ("mlp", "cnn"):  # each with widths of its own, which follow from the choice
        for lr in (0.01, 0.1):  # and max_lr with it
            write_run(tmp_path / f"{model}{lr}", model=model, lr=lr)
    comparison = report([tmp_path])
    assert comparison["columns"] == ["model", "lr"]
    common = "dataset=digits optimizer=adam scheduler=onecycle"
    assert common in " ".join(capsys.readouterr().out.split()) and common in (tmp_path / "report.html").read_text()
    assert comparison["common"]["dataset.batch_size"] == 64
    assert not any("dir" in key or "seed" in key for key in comparison["common"])


def test_a_setting_that_a_command_named_is_a_column_although_it_differs_with_a_choice(tmp_path):
    """Of two sweeps, say, of which one has another optimizer and was trained for fewer epochs."""
    for optimizer, epochs in (("adam", 12), ("sgd", 2)):
        for seed in (1, 2):
            own = {"optimizer": optimizer, "seed": seed, "changed": {"trainer.max_epochs": epochs}}
            folder = write_run(tmp_path / f"{optimizer}{seed}", **own)
            words = [f"optimizer={optimizer}", f"trainer.max_epochs={epochs}", f"seed={seed}"]
            hydra = {"hydra": {"overrides": {"hydra": [], "task": words}, "job": {"name": "train"}}}
            name = "job.yaml" if seed == 1 else ".hydra/hydra.yaml"
            (folder / ".hydra").mkdir(exist_ok=True)
            (folder / name).write_text(yaml.safe_dump(hydra, sort_keys=False))
    found = made(tmp_path)
    assert found["columns"] == ["optimizer", "max_epochs"]
    assert sorted(row["settings"] for row in found["rows"]) == [["adam", 12], ["sgd", 2]]


def test_other_python_files_are_a_column_unless_they_belong_to_other_classes():
    one = {"choices.optimizer": "adam", "model._target_": "own.Net", "code": "1"}
    other = {"choices.optimizer": "sgd", "model._target_": "own.Net", "code": "2"}
    assert choose_columns([one, other], [*one]) == ["choices.optimizer", "code"]
    assert choose_columns([one, other | {"model._target_": "own.Other"}], [*one]) == ["choices.optimizer"]


def test_a_copy_that_some_runs_lack_is_no_column():
    rates = [{"choices.scheduler": "none", "optimizer.lr": lr} for lr in (0.01, 0.1)]
    rates += [{**one, "choices.scheduler": "onecycle", "scheduler.max_lr": one["optimizer.lr"]} for one in rates]
    assert choose_columns(rates, [*rates[2]]) == ["choices.scheduler", "optimizer.lr"]


@pytest.mark.parametrize(
    ("patiences", "columns", "best"),
    (
        ((None, {"patience": 3}, {"patience": 3}), ["lr", "early_stopping"], [0.01, None]),
        ((None, {"patience": 3}, {"patience": 5}), ["lr", "patience"], [0.01, None]),
        (({"patience": 3}, None, {"patience": None}), ["lr", "patience", "early_stopping"], [0.01, 3, "EarlyStopping"]),
    ),
)
def test_a_callback_that_some_runs_lack_is_one_column(tmp_path, patiences, columns, best):
    stopping = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/acc", "mode": "max"}
    for number, patience in enumerate(patiences):
        callbacks = {"callbacks": {} if patience is None else {"early_stopping": stopping | patience}}
        write_run(tmp_path / f"{number}", 0.9 - number / 10, lr=(0.01, 0.02, 0.02)[number], changed=callbacks)
    found = made(tmp_path)
    assert found["columns"] == columns and found["rows"][0]["settings"] == best


def test_two_settings_that_differ_together_both_stay(tmp_path):
    for k, lr in enumerate((0.01, 0.02, 0.03)):  # as in a random search, where no two values are the same
        write_run(tmp_path / f"{k}", lr=lr, dropout=k / 10)
    assert made(tmp_path)["columns"] == ["lr", "dropout"]


def test_unfinished_runs_are_listed_and_leave_the_mean_alone(tmp_path):
    write_run(tmp_path / "0", 0.8, seed=0)
    write_run(tmp_path / "1", 0.9, seed=1, finished=False)
    (tmp_path / "2").mkdir()
    (tmp_path / "2/config.yaml").write_text(yaml.safe_dump(config(seed=2)))
    write_run(tmp_path / "other", 0.7, lr=0.5, finished=False)
    first, second = made(tmp_path)["rows"]
    assert first["status"] == {"finished": 1, "interrupted": 1, "started": 1}
    assert first["val/acc"] == (0.8, None, 1) and first["runs"][0].checkpoint == tmp_path / "0/best.ckpt"
    assert second["status"] == {"interrupted": 1} and second["val/acc"][0] == pytest.approx(0.7)  # the best so far
    assert second["seconds"][0] is None


def test_a_run_that_stopped_before_its_config_stands_with_its_own_kind(tmp_path):
    write_run(tmp_path / "0", model="cnn")
    write_run(tmp_path / "1", model="mlp")
    early = config(model="cnn", seed=7)
    early["trainer"]["precision"], early["scheduler"]["max_lr"] = "auto", "${optimizer.lr}"
    early["dataset"]["seed"], early["data_dir"] = "${seed}", "${oc.env:HOME}"
    early["choices"] = {name: f"${{hydra:runtime.choices.{name}}}" for name in early["choices"]}
    (tmp_path / "2/.hydra").mkdir(parents=True)
    (tmp_path / "2/.hydra/config.yaml").write_text(yaml.safe_dump(early))
    hydra = {"hydra": {"runtime": {"choices": config(model="cnn")["choices"]}}}
    (tmp_path / "2/.hydra/hydra.yaml").write_text(yaml.safe_dump(hydra))
    comparison = made(tmp_path)
    assert comparison["columns"] == ["model"] and len(comparison["rows"]) == 2
    (row,) = (row for row in comparison["rows"] if row["settings"] == ["cnn"])
    assert row["status"] == {"finished": 1, "started": 1}


DAMAGED = (b"", b"\x00" * 100, b"\x05" + bytes(11) + b"\xff" * 9)
DAMAGED += (b'{"val/acc": 0.', b"[1]\n", b"[" * 5000 + b"\n", b"\xff\xfe: [\n", b"a: [b\n")


@pytest.mark.parametrize("name", ("metrics.json", "config.yaml", "events.out.tfevents.1.host.1.0"))
def test_a_damaged_file_costs_its_run_no_more_than_what_stood_in_it(tmp_path, capsys, name):
    write_run(tmp_path / "whole", 0.9)
    write_run(tmp_path / "hurt", 0.8, lr=0.5)
    for content in DAMAGED:
        (tmp_path / "hurt" / name).write_bytes(content)
        comparison = made(tmp_path)
        statuses = [dict(row["status"]) for row in comparison["rows"]]
        assert statuses == [{"finished": 1}, {"interrupted" if name == "metrics.json" else "finished": 1}]
        assert comparison["columns"] == ([] if name == "config.yaml" else ["lr"])
    report([tmp_path])
    assert (tmp_path / "report.html").read_text().count("<tr class=trace") == 2
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not read")]
    assert said == (
        [] if "events" in name else [f"not read, since missing, damaged or of another run: {tmp_path}/hurt/{name}"]
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"val/acc": 0.5, "seconds": -1}'),
        ("run.json", f'{{"data": {10**400}}}'),
        ("run.json", '{"data": "half a character: \\ud83d"}'),
        ("config.yaml", f"choices: {{dataset: digits}}\ntrial: {{number: 0x{'f' * 5000}}}"),
        ("metrics.csv", f"step,val/acc\n{10**400},0.5"),
    ],
)
def test_no_value_in_a_file_of_somebody_else_stops_a_report(tmp_path, name, content):
    for folder in ("own", "theirs"):
        write_run(tmp_path / folder, lr=0.1 if folder == "own" else 0.2)
    (tmp_path / "theirs" / "events.out.tfevents.1.host.1.0").unlink()
    (tmp_path / "theirs" / name).write_text(content + "\n")
    assert len(report([tmp_path])["rows"]) == 2
    assert (tmp_path / "report.html").read_text().count("<tr class=trace") == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@pytest.mark.parametrize("name", ("metrics.json", "run.json", "events.out.tfevents.1.host.2.0", ".lock"))
def test_a_pipe_in_place_of_a_runs_file_does_not_hang_a_report(tmp_path, name):
    write_run(tmp_path / "run", 0.9)
    for file in {name, "metrics.json"}:  # of a run without figures, a report asks whether it is locked
        (tmp_path / "run" / file).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "run" / name)
    opened = []

    def write() -> None:
        while True:
            with open(tmp_path / "run" / name, "wb"):  # waits until somebody reads
                opened.append(name)

    Thread(target=write, daemon=True).start()
    assert len(made(tmp_path)["rows"]) == 1
    assert not opened


def test_settings_that_name_a_file_of_any_letters_are_read(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data_dir": os.fsdecode(b"caf\xe9"), "seed": 1}))
    assert read_flat(tmp_path / "config.yaml") == {"data_dir": os.fsdecode(b"caf\xe9"), "seed": 1}


def test_figures_that_were_copied_from_another_run_are_not_its_own_and_a_moved_run_keeps_its_own(tmp_path):
    for name in ("a", "b"):
        folder = write_run(tmp_path / name, 0.9, changed={"output_dir": str(tmp_path / name)})
        change(folder / "metrics.json", {"folder": str(folder)})
    shutil.copy(tmp_path / "a/metrics.json", tmp_path / "b/metrics.json")
    (tmp_path / "a").rename(tmp_path / "moved")
    assert read_run(tmp_path / "moved").status == "finished" and read_run(tmp_path / "b").status != "finished"
    (tmp_path / "moved").rename(tmp_path / "a")
    (tmp_path / "a/config.yaml").unlink()
    assert RunFolder(tmp_path / "a").status() == ("finished", "")  # its figures name it


def test_curves_count_epochs_and_end_where_the_file_is_cut(tmp_path):
    folder = write_run(tmp_path / "run", 0.9, epochs=3)
    run = read_run(folder)
    assert run.curves["val/acc"] == [(k, pytest.approx(0.3 * k)) for k in (1, 2, 3)]
    assert len(run.curves["train/loss"]) == 9 and run.curves["train/loss"][-1][0] == 3
    assert run.curves.keys() == {"val/acc", "val/loss", "train/loss"}
    file = folder / "events.out.tfevents.1.host.1.0"
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b"val/acc") + 9])  # within the record of the last one
    assert read_run(folder).curves["val/acc"] == [(k, pytest.approx(0.3 * k)) for k in (1, 2)]
    write_events(folder / "events.out.tfevents.2.host.1.0", {"val/acc": [(30, 0.9)]})  # the run went on
    assert [epoch for epoch, _ in read_run(folder).curves["val/acc"]] == [1, 2, 3]


@pytest.mark.parametrize("name", ["report.csv", "report.md", "report.tex", "report.json", "report.html"])
def test_a_report_replaces_a_report_but_no_file_of_the_users_own(tmp_path, name):
    write_run(tmp_path / "run", 0.5)
    (tmp_path / name).write_text("place,mine\n")
    with pytest.raises(UserError, match=f"has {name}, but no report of this project, and a report would replace it"):
        report([tmp_path])
    assert (tmp_path / name).read_text() == "place,mine\n" and len(os.listdir(tmp_path)) == 2
    report([tmp_path], tmp_path / "new")
    report([tmp_path], tmp_path / "new")


def test_a_run_has_its_folders_name_wherever_the_report_is_started(tmp_path, monkeypatch):
    monkeypatch.chdir(write_run(tmp_path / "mine", 0.5))
    assert [row["name"] for row in report([Path()])["rows"]] == ["mine"]


def test_the_csv_has_a_row_a_run_and_every_setting_and_figure(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path / f"a, {seed}", 0.5 + seed / 10, seed=seed, finished=seed == 0)
    report([tmp_path], tmp_path / "new/place")
    assert not (tmp_path / "report.csv").exists()
    rows = {int(row["seed"]): row for row in read_rows(tmp_path / "new/place/report.csv")}
    assert rows[0]["folder"] == str(tmp_path / "a, 0") and rows[0]["checkpoint"] == str(tmp_path / "a, 0/best.ckpt")
    assert rows[0]["optimizer.betas"] == "[0.9, 0.999]" and rows[0]["choices.model"] == "mlp"
    assert float(rows[0]["test/acc_per_class/one"]) == 0.5
    assert [rows[k]["status"] for k in (0, 1)] == ["finished", "interrupted"]
    assert float(rows[1]["val/acc"]) == pytest.approx(0.6) and rows[1]["test/acc"] == ""


@pytest.mark.parametrize("count", (1, 40))
def test_the_table_keeps_to_80_columns(tmp_path, monkeypatch, capsys, count):
    monkeypatch.setenv("COLUMNS", "80")
    for k in range(count):
        settings = {"dropout": k / 100, "activation": "GELU" * (k % 5), "kernel_size": k % 3, "dataset": f"d{k % 4}"}
        write_run(tmp_path / f"{k}", 0.9 - k / 1000, lr=0.001 * (k + 1), finished=k % 2 == 0, **settings)
    report([tmp_path])
    table = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]
    assert max(map(len, table)) <= 80
    assert "90.00" in "".join(table) and ("… and 10 more" in table) == (count == 40)
    words = table[1 : next(k for k, line in enumerate(table) if " settings " in line or line.strip().startswith("val"))]
    assert len(words) == 2 and words[0].startswith("all with ") and words[1].endswith(" …")


def test_the_joined_table_names_every_value_but_the_choices_and_has_one_form_of_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for k, (model, init, parameters) in enumerate((("mlp", "auto", 1283), ("cnn", "max", 42210), ("mlp", "max", 243))):
        folder = write_run(tmp_path / f"{k}", 0.9 - k / 10, model=model, init=init, size="x" * 40 + f"{k}")
        change(folder / "metrics.json", {"parameters": parameters})
    report([tmp_path])
    text = capsys.readouterr().out
    assert {"mlp", "cnn", "init=auto", "init=max", "243", "1,283", "42,210"} <= set(text.split()), text


def test_a_table_that_is_wider_than_the_terminal_loses_no_column(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    for k in range(4):
        write_run(tmp_path / f"{k}", 0.9 - k / 100, seed=k % 2, lr=0.1 if k < 2 else 0.2)
    report([tmp_path])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    (row,) = [line for line in lines if line.startswith("2 lr=0.2 87.50 ± 0.71 (2) 86.50 ± 0.71 (2) 1,234 ")]
    assert row.endswith(" finished")


def test_a_loss_that_grew_without_end_keeps_the_table_narrow():
    assert written(1.0846e20, "val/loss") == "1.08e+20" and written(0.5255, "val/loss") == "0.5255"
    assert written(0.5, "val/acc") == "50.00"


def test_no_figure_hides_a_mistake_or_a_small_loss():
    assert [written(value, "val/acc") for value in (0.99996, 1.0)] == ["99.99", "100.00"]
    assert [share(value, ".1%") for value in (0.9996, 1.0, 0.25)] == ["99.9%", "100.0%", "25.0%"]
    assert [share(value, ".3f") for value in (0.9996, 0.0004)] == ["0.999", "0.000"]
    assert [percent(value) for value in (0.996, 1.0, 0.25, 0.004, 0)] == ["99%", "100%", "25%", "0.4%", "0%"]
    assert [written(value, "val/loss") for value in (0.000012, 0.000034, 0.0)] == ["1.2e-05", "3.4e-05", "0.0000"]


def test_no_word_of_the_settings_is_broken_in_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    write_run(tmp_path / "run", dataset="d" * 30)
    report([tmp_path])
    lines = capsys.readouterr().out.splitlines()
    assert "all with …" in lines and not [line for line in lines if "dd" in line]  # the word has no room


def test_a_class_is_a_column_only_where_nothing_else_tells_the_runs_apart(tmp_path):
    stop = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "patience": 3}
    write_run(tmp_path / "0/0")
    write_run(tmp_path / "0/1", stopping=stop)
    assert made(tmp_path / "0")["columns"] == ["patience"]
    for name in ("MNIST", "KMNIST"):
        write_run(tmp_path / "1" / name, dataset="mnist", source={"_target_": name, "_partial_": True})
    comparison = made(tmp_path / "1")
    assert comparison["columns"] == ["model.source._target_"] and len(comparison["rows"]) == 2


def test_a_row_whose_settings_are_all_null_is_named_by_them(tmp_path, capsys):
    for activation, accuracy in ((None, 0.95), ("ReLU", 0.9)):
        for seed in range(2):
            write_run(tmp_path / f"{activation}{seed}", accuracy, seed=seed, activation=activation)
    report([tmp_path])
    assert "test accuracy of activation=null: 94.00 %" in capsys.readouterr().out


def test_runs_of_several_seeds_alone_are_named_by_model_and_dataset(tmp_path, capsys):
    for seed in (6, 7):
        write_run(tmp_path / f"{seed}_seed={seed}", seed=seed)
    report([tmp_path])
    assert "mlp on digits" in capsys.readouterr().out and ">mlp on digits<" in (tmp_path / "report.html").read_text()
    report([tmp_path / "6_seed=6"])
    assert "1  6_seed=6 " in capsys.readouterr().out
    write_run(tmp_path / "sweep/0")  # the one job of a sweep has no settings of its own
    report([tmp_path / "sweep"])
    assert "1  mlp on digits " in capsys.readouterr().out


def test_a_run_given_twice_counts_once_and_other_programs_configs_do_not(tmp_path):
    write_run(tmp_path / "sweep/run")
    (tmp_path / "sweep/site").mkdir()
    (tmp_path / "sweep/site/config.yaml").write_text("theme: dark\n")
    runs = find_runs([tmp_path / "sweep", tmp_path, tmp_path / "sweep/run"])
    assert [run.folder.name for run in runs] == ["run"]


def test_a_folder_without_runs_or_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))  # where what cannot be written is kept
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UserError, match=r"there is no folder .*nowhere: give"):
        report([tmp_path / "nowhere"])
    (tmp_path / "sweeps/best").mkdir(parents=True)
    for named, read in ((find_runs, [tmp_path / "sweep/best"]), (read_manifest, tmp_path / "sweep/best")):
        with pytest.raises(UserError, match=r" Did you mean '.*/sweeps/best'\?$"):
            named(read)
    with pytest.raises(UserError, match="holds no run: give"):
        report([tmp_path])
    write_run(tmp_path / "run")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"run/metrics\.json is a file: give the folder of its run, .*run$"):
        report([tmp_path / "run" / "metrics.json"])
    with pytest.raises(UserError, match=r"could not be written .*: name another place, output="):
        report([tmp_path / "run"], tmp_path / "file")


def test_the_command_reports_without_torch_and_refuses_in_a_sentence(command, tmp_path):
    write_run(tmp_path / "runs/0")
    process = command("-X", "importtime", "-m", "proj.report", "runs", "output=here")
    assert process.returncode == 0 and "val/acc" in process.stdout, process.stderr
    written = {path.name for path in (tmp_path / "here").iterdir()}
    assert written == {f"report.{kind}" for kind in ("csv", "html", "json", "md", "tex")}
    imported = {line.split("|")[-1].strip() for line in process.stderr.splitlines()}
    assert "rich" in imported
    assert not imported & {"torch", "lightning", "sklearn", "tensorflow", "plotly", "optuna"}
    for words, code in (("--help",), 0), ((), 1):
        for module in ("report", "sweep"):
            process = command("-m", f"proj.{module}", *words)
            assert f": python -m proj.{module} " in process.stdout and process.returncode == code
    process = command("-m", "proj.report", "nowhere")
    assert process.returncode == 1 and process.stderr.startswith("error: there is no folder nowhere")
    assert len(process.stderr.splitlines()) == 1


def test_a_real_run_holds_what_the_report_reads_also_beside_its_pictures(trained, tmp_path):
    folder = trained()
    run, metrics = read_run(folder), json.loads((folder / "metrics.json").read_text())
    assert run.status == "finished" and run.checkpoint == folder / "best.ckpt"
    assert [epoch for epoch, _ in run.curves["val/acc"]] == [1, 2] and len(run.curves["train/loss"]) == 22
    assert max(run.curves["val/acc"], key=lambda point: point[1])[1] == pytest.approx(metrics["val/acc"])
    both = {f"{split}/{name}" for split in ("train", "val") for name in ("loss", "acc")}
    assert run.curves.keys() == both | {"train/grad_norm", "val/balanced_acc", "val/macro_f1"}
    (row,) = report([folder], tmp_path)["rows"]
    assert row["parameters"][0] == 243 and row["test/acc"][0] == metrics["test/acc"]


def test_curves_of_before_run_json_count_epochs_whenever_they_were_validated(tmp_path):
    often, seldom = {"val_check_interval": 0.5}, {"check_val_every_n_epoch": 2}
    cases = {"sanity": ({}, (0, 10, 20)), "often": (often, (5, 10, 15, 20)), "seldom": (seldom, (20,))}
    for name, (setting, steps) in cases.items():
        made = config()
        made["trainer"] |= setting
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(made))
        write_events(tmp_path / name / "events.out.tfevents.1.host.1.0", {"val/acc": [(step, 0.5) for step in steps]})
        assert read_run(tmp_path / name).curves["val/acc"][-1][0] == 2, name


def test_runs_on_other_data_are_other_configurations_and_the_same_data_elsewhere_is_not(tmp_path):
    for name, checksum, seed in (("one", "1a", 0), ("one", "1a", 1), ("two", "2a", 0), ("moved", "1a", 2)):
        place = {"dataset._target_": "proj.data.CSVDataModule", "dataset.data_dir": f"/{name}/table.csv"}
        write_run(tmp_path / f"{name}{seed}", dataset="csv", seed=seed, changed=place, record={"data": checksum})
    comparison = made(tmp_path)
    assert sorted(len(row["runs"]) for row in comparison["rows"]) == [1, 3] and comparison["columns"] == ["data"]
    for file in tmp_path.glob("*/run.json"):  # as of before there was one: the place tells
        file.unlink()
    assert sorted(len(row["runs"]) for row in made(tmp_path)["rows"]) == [1, 1, 2]


@pytest.mark.parametrize(("key", "values"), (("drop", ("[]", "[a]")), ("size", ("8", "[8,10]"))))
def test_the_same_examples_are_compared_whatever_inputs_are_made_of_them(configure, tmp_path, key, values):
    words = ["trainer.max_epochs=1", "test=false", "~callbacks.dashboard"]
    words += ["model=mlp", "model.hidden=[8]", f"dataset.cache_dir={tmp_path}/cache"]
    if key == "drop":
        lines = ["a,b,kind", *(f"{k % 7},{k % 5},{'xy'[k % 2]}" for k in range(60))]
        (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
        words = ["dataset=csv", f"data_dir={tmp_path}/table.csv", "dataset.target=kind", *words[:-1]]
    else:
        write_photos(tmp_path / "photos", 12, ("blue", "red"))
        words = ["dataset=image_folder", f"data_dir={tmp_path}/photos", *words]
    for others in ([], ["dataset.split_seed=1"]):  # by which other examples are the test part
        for number, seed in enumerate((0, 1, 0, 1)):
            mine = f"dataset.{key}={values[number // 2]}", f"seed={seed}", *others
            train(configure(*words, *mine, folder=tmp_path / f"runs/{len(others)}{number}"))
    comparison = conclude(compare(find_runs([tmp_path / "runs"])))
    assert [len(rows) for rows in by_data(comparison)] == [2, 2]
    assert [verdict.seeds for row in comparison["rows"] if (verdict := row["verdict"])] == [2, 2]


def test_a_run_of_before_there_were_checksums_stands_with_those_on_its_data(tmp_path):
    for name, record in (("old", None), ("new", {"data": "0000002a"}), ("other", {"data": "0000002b"})):
        write_run(tmp_path / name, seed=len(name), record=record)
    assert len(compare(find_runs([tmp_path / "old", tmp_path / "new"]))["rows"]) == 1
    comparison = compare(find_runs([tmp_path / "new", tmp_path / "other"]))
    assert comparison["columns"] == ["data"] and len(comparison["rows"]) == 2
    change(tmp_path / "other/config.yaml", {"dataset.batch_size": 32})
    for size, others, data in (
        (64, ("new", "other"), "0000002a"),
        (8, ("new",), "0000002a"),
        (8, ("new", "other"), None),
    ):
        change(tmp_path / "old/config.yaml", {"dataset.batch_size": size})
        runs = find_runs([tmp_path / name for name in ("old", *others)])
        compare(runs)
        assert runs[0].settings["data"] == data


@pytest.mark.parametrize(
    ("checksums", "rows"),
    (
        ({1: "a", 2: "b", 3: "c"}, 2),  # the seed draws the examples
        ({1: "a", 2: "a", 3: "a"}, 2),
        ({1: "a", 2: "a", 3: "b"}, 4),  # the data has changed
        ({1: "a", 2: "b"}, 4),  # it may have
    ),
)
def test_examples_that_the_seed_of_ones_own_dataset_draws_make_no_other_configuration(tmp_path, checksums, rows):
    for lr in (0.1, 0.2):
        for seed, checksum in checksums.items():
            own = {"record": {"data": checksum}, "changed": {"dataset._target_": "wine.WineDataModule"}}
            write_run(tmp_path / f"{lr}_{seed}", accuracy=lr + seed / 100, seed=seed, lr=lr, **own)
    comparison = conclude(compare(find_runs([tmp_path])))
    assert len(comparison["rows"]) == rows
    if rows == 2:
        assert comparison["rows"][1]["verdict"].seeds == 3


def test_the_column_of_the_data_names_each_place_shortly_and_has_checksums_of_one_that_changed(tmp_path):
    def shown(*runs: tuple[str, str, int]) -> set[str]:
        for number, (place, checksum, size) in enumerate(runs):
            own = {"record": {"data": checksum}, "changed": {"dataset.data_dir": place, "dataset.size": size}}
            write_run(tmp_path / str(len(runs)) / str(number), dataset="csv", **own)
        comparison = made(tmp_path / str(len(runs)))
        return {row["settings"][comparison["columns"].index("data")] for row in comparison["rows"]}

    assert shown(("/x/one/t.csv", "1a", 8), ("/x/two/t.csv", "2a", 8)) == {"one/t.csv", "two/t.csv"}
    both_sizes = [(place, f"{place}{size}", size) for place in ("/x/one.csv", "/x/two.csv") for size in (8, 16)]
    assert shown(*both_sizes) == {"one.csv", "two.csv"}
    assert shown(("/x/t.csv", "1a", 8), ("/x/t.csv", "2a", 8), ("/x/u.csv", "3a", 8)) == {"1a", "2a", "u.csv"}


def test_other_data_is_a_column_unless_settings_of_the_data_tell_it(tmp_path):
    for size in (32, 64):
        write_run(tmp_path / f"{size}", lr=size / 100, record={"data": f"{size}"})
    assert made(tmp_path)["columns"] == ["lr", "data"]
    for size in (32, 64):
        change(tmp_path / f"{size}/config.yaml", {"dataset.size": size})
    assert {*made(tmp_path)["columns"]} == {"size", "lr"}


def test_a_repeated_seed_is_no_second_sample_and_the_report_says_which_run_counts(tmp_path, capsys):
    write_run(tmp_path / "a", 0.9, seed=0)
    write_run(tmp_path / "b", 0.8, seed=1)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    write_run(tmp_path / "again", 0.5, seed=0, finished=False)
    (row,) = report([tmp_path])["rows"]
    assert row["val/acc"][2] == 2 and row["val/acc"][0] == pytest.approx(0.85)
    assert row["status"] == {"finished": 2, "repeated": 1, "interrupted": 1}
    out = capsys.readouterr().out
    assert f"{tmp_path / 'a'} is not counted: {tmp_path / 'copy'} has the same settings, data and seed" in out
    lines = read_rows(tmp_path / "report.csv")
    repeats = {Path(line["folder"]).name: Path(line["repeats"]).name for line in lines}
    assert repeats == {"a": "copy", "again": "copy", "copy": "", "b": ""}


def test_the_number_of_processes_tells_runs_apart_and_which_devices_they_had_does_not(tmp_path):
    for k, devices in enumerate(("auto", 1, [3], 2, [0, 1])):
        write_run(tmp_path / f"{k}", seed=k, changed={"trainer.devices": devices})
    assert sorted(len(row["runs"]) for row in compare(find_runs([tmp_path]))["rows"]) == [2, 3]


def test_of_two_runs_with_one_seed_the_one_that_finished_last_counts(tmp_path):
    for name, accuracy, ended in (("a", 0.7, 1000), ("b", 0.9, 3000), ("c", 0.8, 2000)):
        write_run(tmp_path / name, accuracy)
        os.utime(tmp_path / name / "metrics.json", (ended, ended))
    (row,) = made(tmp_path)["rows"]
    assert row["val/acc"] == (0.9, None, 1)
    assert {run.folder.name: run.repeats and run.repeats.name for run in row["runs"]} == {"a": "b", "b": None, "c": "b"}


def test_a_figure_of_an_epoch_is_the_mean_over_its_windows_by_their_lengths(tmp_path):
    curve = [(0.4, 0.5), (0.8, 0.6), (1.0, 1.0), (1.4, 0.7), (2.0, 0.9)]
    run = Run(tmp_path, {}, {}, {"train/acc": curve, "val/acc": curve}, "interrupted")
    (first, mean), (second, other) = run.by_epoch("train/acc")
    assert (first, second) == (1, 2) and mean == pytest.approx(0.64) and other == pytest.approx(0.82)
    assert run.by_epoch("val/acc") == curve


def test_an_unfinished_run_is_at_the_epoch_that_its_own_monitor_and_mode_call_the_best(tmp_path):
    curves = {"val/loss": [(1, 0.5), (2, 0.3), (3, 0.9)], "val/acc": [(1, 0.9), (2, 0.8), (3, 0.7)]}
    run = Run(tmp_path, {"monitor": "val/loss", "mode": "min"}, {}, curves, "interrupted")
    assert run.value("val/acc", "max") == 0.8 and run.value("val/loss", "max") == 0.3


def test_runs_of_other_code_of_ones_own_are_another_configuration(tmp_path):
    for seed, code in enumerate(("mine.py 1a", "mine.py 1a", "mine.py 2b")):
        write_run(tmp_path / f"{seed}", seed=seed, record={"data": "d", "code": code})
    found = made(tmp_path)
    assert found["columns"] == ["code"] and sorted(len(row["runs"]) for row in found["rows"]) == [1, 2]
    change(tmp_path / "2" / "run.json", {"code": "mine.py 1a"})
    write_run(tmp_path / "3", seed=3, record={"data": "d"})  # of an older version, which noted no code
    found = made(tmp_path)
    assert found["columns"] == [] and len(found["rows"][0]["runs"]) == 4


@pytest.mark.parametrize(
    ("thresholds", "column"), ((("f1", "balanced"), "threshold"), (({"setosa": 5}, None), "threshold.setosa"))
)
def test_runs_of_another_threshold_are_another_configuration_named_as_a_command_takes_it(tmp_path, thresholds, column):
    for number, threshold in enumerate(thresholds):
        write_run(tmp_path / f"{number}", changed={"threshold": threshold})
    comparison = made(tmp_path)
    assert comparison["columns"] == [column] and len(comparison["rows"]) == 2


def test_no_name_breaks_the_tables_of_a_report(tmp_path, capsys):
    names = ["a\nb", "c\td|e", "[red]f[/red]", "g\x1b[31m", "h\u202e"]
    for place, name in enumerate(names):
        write_run(tmp_path / name, accuracy=0.9 - place / 100, activation=name)
    report([tmp_path])
    said = capsys.readouterr().out
    assert not set("\x1b\t\u202e") & {*said} and all(name in said for name in ("a\\nb ", "c\\td|e ", "[red]f[/red] "))
    page, markdown, tex = ((tmp_path / f"report.{end}").read_text() for end in ("html", "md", "tex"))
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    assert not set("\x1b\t\u202e") & {*body} and ">a\\nb<" in body
    assert not set("\x1b\t\u202e") & {*markdown + tex} and len(markdown.splitlines()) == 2 + len(names)


def test_no_word_of_a_file_of_somebody_else_controls_the_terminal(tmp_path, capsys):
    for seed in (1, 2):
        write_run(tmp_path / str(seed), finished=False, optimizer="\x1b[2J", seed=seed)
        RunFolder(tmp_path / str(seed)).write_failure("\x1b]0;owned\x07", "")
    report([tmp_path])
    assert "\x1b" not in capsys.readouterr().out
    assert [run.status for run in find_runs([tmp_path])] == ["failed", "failed"]
    with pytest.raises(SystemExit) as stop, sentences():
        raise UserError("the class \x1b[2J is unknown:\n    the second line")
    assert stop.value.code == "error: the class \\x1b[2J is unknown:\n    the second line"


def test_a_row_that_failed_does_not_stretch_the_axis_on_which_the_others_are_drawn(tmp_path):
    for lr in (0.01, 1e9):
        write_run(tmp_path / f"{lr}", lr=lr)
    rows = made(tmp_path)["rows"]
    good, bad = sorted(rows, key=lambda row: row["settings"][0])
    good["runs"][0].curves = {"train/loss": [(1, 0.5), (2, 0.3)]}
    bad["runs"][0].curves, bad["status"] = {"train/loss": [(1, 8e15)]}, {"failed": 1}
    assert max(charts.curves([good, bad], "train/loss", 100)["layout"]["yaxis"]["range"]) < 1
    assert max(charts.curves([bad], "train/loss", 100)["layout"]["yaxis"]["range"]) > 1e15


def test_the_line_at_the_best_so_far_is_drawn_on_one_set_of_data_alone(tmp_path):
    for dataset, lines in (("digits", 1), ("iris", 0)):
        write_run(tmp_path / dataset, dataset=dataset, record={"data": dataset})
        traces = charts.against_time(made(tmp_path))["traces"]
        assert sum(one.get("line", {}).get("dash") == "dot" for one in traces) == lines
