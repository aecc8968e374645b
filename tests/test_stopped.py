"""Ctrl-C and `kill` while a checkpoint is used or runs are compared: an exit code, no traceback, nothing half done."""

import errno
import importlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support.classes import ENV
from support.processes import run
from support.tables import read_rows

from proj.config.command_line import run_hydra
from proj.errors import UserError
from proj.system.exits import ctrl_c_after_imports
from proj.system.files import write_atomically, write_output, write_outputs

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_at(module: str, name: str, call: int, number: int) -> None:
    """Have a call of a function in this process come with a signal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore Ctrl-C
    owner = importlib.import_module(module)
    *above, name = name.split(".")
    for one in above:
        owner = getattr(owner, one)
    real, calls = getattr(owner, name), []

    def called(*args, **settings):
        calls.append(args)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return real(*args, **settings)

    setattr(owner, name, called)


def stopped(folder, number: int, place: tuple[str, str, int], *words: str) -> None:
    """Run a command that is stopped at a call: (module, function, which of its calls)."""
    process = run(folder, *words, before=partial(stop_at, *place, number))
    assert (process.returncode, "Traceback" in process.stderr) == (128 + number, False), process.stderr
    assert ("Stopped by SIGTERM: type the same command" in process.stderr) == (number == signal.SIGTERM)
    assert not list(folder.rglob("*.tmp"))


def test_ctrl_c_waits_until_the_packages_of_a_training_are_imported():
    before, ended = signal.signal(signal.SIGINT, signal.default_int_handler), []
    try:
        with pytest.raises(KeyboardInterrupt), ctrl_c_after_imports():
            os.kill(os.getpid(), signal.SIGINT)
            ended.append(True)
        assert ended and signal.getsignal(signal.SIGINT) == signal.default_int_handler
        with ctrl_c_after_imports():
            ended.append(True)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_an_evaluation_that_measures(digits, tmp_path, number):
    shutil.copy(digits / "best.ckpt", tmp_path)
    place = ("proj.models.classifier", "Classifier.test_step", 1)
    stopped(tmp_path, number, place, "proj.evaluate", "ckpt=best.ckpt")
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]


def test_a_signal_leaves_what_predict_has_answered_under_another_name(trained, tmp_path):
    (tmp_path / "in.csv").write_text("5.1,3.5,1.4,0.2\n" * 250)
    (tmp_path / "out.csv").write_text("input,class,probability: earlier answers")
    words = ("proj.predict", f"run={trained()}", "input=in.csv", "output=out.csv")
    stopped(tmp_path, signal.SIGTERM, ("proj.use.ensemble", "probabilities_of", 3), *words)
    assert (tmp_path / "out.csv").read_text() == "input,class,probability: earlier answers"
    assert len(read_rows(tmp_path / "out_unfinished.csv")) == 200


PLACES = {"": ("proj.data.sklearn", "IrisDataModule.load", 1), "-m seed=1,2": ("proj.sweeps.rehearsal", "rehearse", 1)}


@pytest.mark.parametrize("words", PLACES)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_a_training_begins_ends_in_a_sentence_and_leaves_no_run(tmp_path, number, words):
    stopped(tmp_path, number, PLACES[words], "proj.train", *words.split())
    left = {file.name for file in tmp_path.rglob("*") if file.is_file() and file.parent.name != ".hydra"}
    assert left <= {".lock", "train.log"}


def test_an_import_of_torch_that_a_signal_breaks_off_logs_nothing_at_the_exit(monkeypatch):
    """torch itself sets the level of its loggers at the end of its import, and Hydra that of all others to INFO."""
    monkeypatch.setattr("sys.argv", ["proj.train"])
    monkeypatch.setattr(logging.getLogger("torch"), "level", logging.NOTSET)
    run_hydra(lambda: None)
    assert logging.getLogger("torch").level == logging.WARNING


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_report_is_written_leaves_whole_files_alone(trained, tmp_path, number):
    stopped(tmp_path, number, ("proj.system.files", "replace", 2), "proj.report", str(trained()), "output=.")
    assert [file.name for file in tmp_path.iterdir()] == ["report.csv"]


@pytest.mark.parametrize(
    ("module", "words", "option", "work"),
    (
        ("evaluate", "output=x/y", "output", "proj.use.evaluation.open_data"),
        ("export", "format=torch_export output=x/y", "output", "proj.checkpoint.file.load_model"),
        ("predict", "input=in.csv show=x/y.png", "show", "proj.use.ensemble.read_images"),
    ),
)
def test_a_place_where_nothing_can_be_written_is_said_before_the_work(
    digits, tmp_path, monkeypatch, mistake, module, words, option, work
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    (tmp_path / "in.csv").touch()
    monkeypatch.setattr(work, lambda *args, **settings: pytest.fail("it began"))
    said = mistake(f"proj.{module}", f"run={digits}", *words.split())
    assert "could not be written" in said and said.endswith(f"name another place, {option}=…")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux alone has a device that is always full")
def test_a_report_that_cannot_be_printed_says_so_without_the_advice_for_a_run(trained, tmp_path):
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "proj.report", str(trained())]
        process = subprocess.run(words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    said = "error: what this command prints could not be written (No space left on device): make room"
    assert (process.returncode, process.stderr.strip()) == (1, said)


def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_word(tmp_path):
    """Also where a library makes another error of it, as omegaconf does."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n\n\nclass Finder:\n    def find_spec(name, path, target=None):\n"
        "        if name == 'omegaconf':\n            try:\n                os.kill(os.getpid(), signal.SIGINT)\n"
        "            except KeyboardInterrupt:\n                raise AttributeError(name)\n\n\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\nsys.meta_path.insert(0, Finder)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), ENV["PYTHONPATH"]])}
    words = [sys.executable, "-m", "proj.report", "--help"]
    process = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(("number", "cure"), [(errno.ENOSPC, "make room, or name "), (errno.EFBIG, "allow larger")])
def test_what_a_command_ends_in_is_kept_elsewhere_where_it_cannot_be_written(
    digits, tmp_path, monkeypatch, mistake, number, cure
):
    def full(file, content, real=write_atomically):
        if file.is_relative_to(tmp_path / "full"):
            raise OSError(number, os.strerror(number), str(file))
        real(file, content)

    monkeypatch.setattr("proj.system.files.write_atomically", full)
    for module, words, made in (
        ("evaluate", "output={full}", "evaluation.json"),
        ("export", "format=torch_export output={full}/x.pt2", "x.pt2"),
        ("report", "{run} output={full}", "report.html"),
    ):
        words = words.format(full=tmp_path / "full", run=digits).split()
        said = mistake(f"proj.{module}", *words, *([] if module == "report" else [f"run={digits}"]))
        assert f"{tmp_path / 'full'}/" in said and f"could not be written ({os.strerror(number)}): {cure}" in said
        assert ("name another place" in said) == (number == errno.ENOSPC)
        kept = Path(re.search(r"Meanwhile it is kept in (.+): move it from there\.$", said)[1])
        assert (kept / made).stat().st_size
        shutil.rmtree(kept)


def test_where_no_place_takes_what_a_command_ends_in_no_folder_is_left_and_tables_are_printed(
    tmp_path, monkeypatch, capsys
):
    def full(file, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("proj.system.files.write_atomically", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.chdir(tmp_path)
    refused = r"could not be written \(.*\): make room, or name another place.*…\. No other place takes it: {}\.$"
    with pytest.raises(UserError, match=refused.format(r"x\.csv is printed above and x\.json, x\.png are lost")):
        write_outputs(tmp_path, {"x.json": "{}", "x.png": b"", "x.csv": "input,class\r\na,b\r\n"})
    assert "input,class\na,b\n" in capsys.readouterr().out.replace("\r", "")
    with pytest.raises(UserError, match=refused.format(r"x\.onnx is lost")):
        write_output(tmp_path / "x.onnx", b"")
    assert not capsys.readouterr().out
    with pytest.raises(UserError, match=refused.format(r"x\.jsonl is printed above")):
        write_output(tmp_path / "x.jsonl", '{"input": "a"}\n')
    assert '{"input": "a"}\n' in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
