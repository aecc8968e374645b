"""A sweep shows a line for each job that ends; what a job prints is in its log."""

import fcntl
import inspect
import os
import re
import signal
import struct
import termios
import threading
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from support import processes
from support.classes import ENV, ends
from support.sweeps import QUICK, RATES, SEARCH, finish_at_once, resume, run, sweep

import proj.training.results_table
from proj.sweeps.folder import Sweep
from proj.sweeps.job import printing_into
from proj.sweeps.lines import Lines, duration, own_stdout, shortened
from proj.sweeps.notes import read_notes
from proj.sweeps.summary import summarise
from proj.system.locks import locked
from proj.system.run_folder import RunFolder

FAILING = ("sweep_name=s", "optimizer=sgd", "seed=1,2", "optimizer.lr=0.01,1e30")
LINE = re.compile(r" *\d+/\d+  \S")
SOME_TIME = r"\d+(\.\d)? (s|min)"


def lines(out: str) -> list[str]:
    return [line for line in out.splitlines() if LINE.match(line)]


def log(folder: Path, job: str) -> str:
    return (folder / "outputs/sweeps/s" / job / "train.log").read_text()


@pytest.fixture(scope="module")
def failing(tmp_path_factory) -> tuple[Path, str, str]:
    """The folder, stdout and stderr of a sweep of four jobs, of which two fail."""
    folder = tmp_path_factory.mktemp("lines")
    code, out, err = sweep(folder, *FAILING)
    assert code == 1, err
    return folder, out, err


def test_a_job_that_ends_is_one_line_with_its_number_settings_metric_time_and_what_is_left(failing):
    _, out, err = failing
    first, broken, third, last = lines(out)
    remarks = [line for line in out.splitlines() if line.startswith("     ")]  # a model that calls all the same
    shown = [line for line in out.splitlines() if line not in remarks]
    assert out.startswith("4 jobs in outputs/sweeps/s\n1/4  ") and shown[1:5] == [first, broken, third, last]
    finished = rf" +val/acc 0\.\d{{4}} +{SOME_TIME}  about {SOME_TIME} left"
    assert re.fullmatch(rf"1/4  seed=1 lr=0.01{finished}", first)
    assert re.fullmatch(rf"3/4  seed=2 lr=0.01{finished}", third)
    assert re.fullmatch(r"2/4  seed=1 lr=1e\+30  failed: the loss turned NaN .*…", broken) and last.startswith("4/4  ")
    assert max(map(len, (first, broken, third, last))) <= 80
    assert "1_seed=1,optimizer.lr=1e_30: failed: the loss turned NaN or infinite in step 2" in err.replace("+", "_")


def test_what_a_job_prints_is_in_its_log_alone(failing):
    folder, out, _ = failing
    said = log(folder, "0_seed=1,optimizer.lr=0.01")
    assert said.startswith("iris on iris: 105 train") and "test accuracy" in said and "dashboard" in said
    assert "iris on iris: 105" not in out and "per class" not in out and "\x1b" not in said
    assert log(folder, "1_seed=1,optimizer.lr=1e+30").count("the loss turned NaN") == 1


def test_a_sweep_that_goes_on_counts_the_jobs_that_are_done_in_one_line(failing):
    folder, _, _ = failing
    _, out, _ = sweep(folder, "resume=outputs/sweeps/s", module="sweep")
    assert out.startswith("4 jobs in outputs/sweeps/s (2 done before)\n")
    assert [line[:10] for line in lines(out)] == ["3/4  seed=", "4/4  seed="] and out.count("failed: ") == 2


def test_log_full_shows_what_the_jobs_print_also_of_a_sweep_that_goes_on(failing):
    folder, _, _ = failing
    _, out, err = sweep(folder, "resume=outputs/sweeps/s", "log=full", module="sweep")
    assert "\n1_seed=1,optimizer.lr=1e+30\niris on iris: 105 train" in out and not lines(out)
    assert err.count("the loss turned NaN") == 4  # when it happens, and at the end
    code, _, err = sweep(folder, "resume=outputs/sweeps/s", "log=some", module="sweep")
    assert code == 1 and "log=some does not exist. Options: full, line." in err
    assert "log=some is not line or full" in sweep(folder, "log=some", "seed=1,2")[2]


def prune() -> None:
    """As `finish_at_once`, and the second trial is pruned."""
    finish_at_once()
    import proj.training.run
    from proj.system.run_folder import RunFolder
    from proj.training.pruning import Pruned

    played = proj.training.run.train

    def train(cfg):
        if cfg.trial.number == 1:
            RunFolder(cfg.output_dir).write_failure("pruned", "pruned in epoch 1, at val/acc 0.2")
            raise Pruned("pruned in epoch 1, at val/acc 0.2")
        return played(cfg)

    proj.training.run.train = train


def test_a_search_counts_its_trials_and_says_which_were_pruned(tmp_path):
    out = run(tmp_path, *SEARCH, RATES, before=prune)
    assert out.startswith("3 jobs in outputs/sweeps/s\n") and len(lines(out)) == 3
    assert re.fullmatch(r"2/3  lr=0\.\d+ +pruned in epoch 1, at val/acc 0.2", lines(out)[1])
    out = resume(tmp_path, "hydra.sweeper.n_trials=5")
    assert out.startswith("5 jobs in outputs/sweeps/s (3 done before)\n4/5  lr=") and len(lines(out)) == 2


def test_what_is_said_of_the_data_is_shown_once_for_the_whole_sweep(tmp_path):
    rows = (f"{n},{'red' if n % 2 else 'blue'},{'xyz'[n % 3] if n % 20 else ''}" for n in range(90))
    (tmp_path / "table.csv").write_text("\n".join(["length,color,species", *rows]))
    words = ("dataset=csv", "data_dir=table.csv", "dataset.target=species", "seed=1,2", "sweep_name=s")
    code, out, err = sweep(tmp_path, *words)
    assert code == 0 and out.count("rows without species left out: 5") == 1, err
    first = out.index("rows without species left out")
    assert out.index("\n1/2  ") < first < out.index("\n2/2  ") and out[:first].endswith("\n     ")
    assert all("rows without species left out: 5" in log(tmp_path, f"{number}_seed={number + 1}") for number in (0, 1))


def test_notes_are_the_lines_that_not_every_job_prints(tmp_path):
    file = tmp_path / "train.log"
    file.write_text("of the command before\n")
    start = file.stat().st_size
    unfitted = "threshold: yes from a probability of 0.5 on, since the validation part has no example of one class"
    with open(file, "a") as said:
        said.write("5 of 80 images cannot be read and are left out:\n    a/0.png: cannot identify image file\n")
        said.write(f"left out, 2 classes with too few examples:\n    {'a' * 30} (1)\n    'dataset.drop=[a]' keeps it\n")
        rare = f"left out, of too few examples: {'name (1), ' * 20}".strip()
        said.write(f"{rare}\n    'dataset.drop=[a]' keeps it\n")
        said.write("mlp on csv: 61 train, 12 val, 12 test examples\non cpu with trainer.precision=32-true: as before\n")
        said.write("This run goes on after step 7.\n")
        said.write(f"{tmp_path}\n[2026-11-26 05:21:52,997][proj.x][WARNING] almost full\n")
        said.write("/site-packages/x.py:12: UserWarning: beware\n  warnings.warn(beware)\n")
        said.write("wandb: Run history:\nwandb:  lr ▁\n2026/11/27 01:31:11 INFO mlflow.store.db.utils: Creating\n")
        said.write("\x1b[1mtest accuracy\x1b[0m\x1b[1m  \x1b[0m60.00%\n")  # with FORCE_COLOR
        rows = re.findall(r'add_row\("(.+?)"', inspect.getsource(proj.training.results_table))
        said.write("".join(f"{row}  92.00%   balanced 90.00%\n" for row in rows))
        said.write("threshold: yes from a probability of 0.23 on (validation: F1 0.49, at 0.5 0.34)\n")
        said.write(f"{unfitted}\n")
        said.write("test accuracy  80.00%   loss 0.5\nerror: the loss turned NaN\nTraceback (most recent call last):\n")
    notes = ["5 of 80 images cannot be read and are left out: see train.log"]
    notes += ["left out, 2 classes with too few examples: see train.log"]
    notes += [rare, "almost full", "UserWarning: beware", unfitted]
    assert len(rows) > 6 and read_notes(file, start) == notes and read_notes(tmp_path / "none.log", 0) == []


@pytest.mark.parametrize("isolate", [pytest.param("isolate=true", marks=pytest.mark.slow), "isolate=false"])
def test_a_jobs_log_holds_all_that_it_said_before_it_was_killed(tmp_path, monkeypatch, isolate):
    monkeypatch.setenv("PYTHONPATH", ENV["PYTHONPATH"])
    code, out, _ = sweep(tmp_path, "sweep_name=s", *ends("kill"), isolate)
    assert "its last words\nof a process\n" in log(tmp_path, "0")
    if isolate == "isolate=true":
        assert code == 1 and "1/1    failed: its process ended with signal SIGKILL" in out
    else:
        assert code == -signal.SIGKILL and out == "1 job in outputs/sweeps/s\n"


def on_a_terminal(folder: Path, *words: str) -> str:
    """What a sweep writes to a terminal of 80 columns."""
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                shown.append(part)
        except OSError:  # nobody has it open any more
            return

    streams = [os.ttyname(its)] * 2
    process = processes.start(folder, "proj.train", "-m", *words, streams=streams, env={**os.environ, "TERM": "xterm"})
    reader = threading.Thread(target=read)
    reader.start()
    process.join(processes.PATIENCE)
    os.close(its)  # open until now, since the reading ends where nobody has it open
    reader.join(processes.PATIENCE)
    os.close(ours)
    assert process.exitcode == 0, b"".join(shown).decode()
    return b"".join(shown).decode()


@pytest.mark.parametrize("isolate", [pytest.param("isolate=true", marks=pytest.mark.slow), "isolate=false"])
def test_a_terminal_shows_a_bar_for_the_job_that_runs_and_then_its_line(tmp_path, isolate):
    words = [word for word in QUICK if word != "~callbacks.progress"]
    shown = on_a_terminal(tmp_path, "seed=1,2", "sweep_name=s", isolate, *words)
    assert shown.startswith("checking 2 jobs …\r\n2 jobs in outputs/sweeps/s")
    plain = [re.sub(r"\x1b\[[\d;?]*\w", "", line) for line in re.split(r"[\r\n]+", shown)]
    assert any(re.match(r"1/2  seed=1 ━+ epoch 1/2", line) for line in plain)
    assert [line[:17] for line in plain if "val/acc 0" in line] == ["1/2  seed=1  val/", "2/2  seed=2  val/"]
    assert "per class" not in shown and max(map(len, plain[: plain.index(next(x for x in plain if "runs" in x))])) <= 80
    assert "━" not in log(tmp_path, "0_seed=1")


def test_a_dataset_a_model_and_an_optimizer_are_told_by_their_names_as_in_the_report():
    words = ["dataset=iris", "model=cnn", "optimizer=adam", "scheduler=none", "model.depth=3", "seed=2", "log=full"]
    sweep = SimpleNamespace(folder=Path("s"), job=lambda name: {"hydra": {"overrides": {"task": words}}})
    shown = Lines(sweep, total=2, done=0, shared=["log=full"]).settings("0_seed=2")
    assert shown == "iris cnn adam scheduler=none depth=3 seed=2"


def test_long_settings_lose_their_middle_and_wide_letters_count_twice():
    assert shortened("seed=1 lr=0.01", 14) == "seed=1 lr=0.01"
    assert shortened("hidden=[512,256,128] seed=12", 15) == "hidden=…seed=12"
    assert cell_len(shortened("target=" + "类别" * 20, 20)) == 20


def test_what_is_left_follows_from_the_pace_without_the_first_job_which_imports_torch(tmp_path):
    shown = Lines(Sweep(tmp_path), total=300, done=100, shared=[])
    shown.times, shown.one_by_one = [0, 30, 36, 42], True
    assert shown.count() == "103/300" and shown.left() == "about 20 min left"  # 197 jobs, 6 s each
    shown.one_by_one = False  # several that begin together end together
    assert shown.left() == "about 46 min left"
    said = [duration(seconds) for seconds in (0.44, 7, 120, 720, 4 * 3600, 4 * 86400)]
    assert said == ["0.4 s", "7 s", "120 s", "12 min", "4 h", "4 days"]


JOB = "hydra: {overrides: {task: [seed=1]}}\ndataset: {}\nmodel: {}\ntrainer: {}\nmonitor: val/acc\n"


def test_a_job_that_is_tried_again_prints_behind_what_it_has_printed_before(tmp_path):
    for word in ("before", "again"):
        with printing_into(tmp_path / "train.log"):
            print(word)
    assert (tmp_path / "train.log").read_text() == "before\nagain\n"


@pytest.fixture
def shown(tmp_path):
    """(What shows the lines of a sweep of three jobs, their folders, what it has shown since it was asked last)."""
    runs = [RunFolder(tmp_path / f"{number}_seed=1") for number in range(3)]
    for job in runs:
        job.path.mkdir()
        job.job.write_text(JOB)
        job.log.write_text("a note of the command before\n")
    lines = Lines(Sweep(tmp_path, names={n: job.path.name for n, job in enumerate(runs)}), 3, 0, [])
    lines.out = StringIO()

    def said() -> list[str]:
        text, lines.out = lines.out.getvalue(), StringIO()
        return text.splitlines()

    return lines, runs, said


def test_a_job_that_is_tried_again_has_a_line_once_it_has_ended_again_and_prints_no_more(shown):
    lines, (job, *_), said = shown
    job.write_failure("failed", "before")
    with lines.following([job.path.name], one_by_one=True):
        lines.look()
        assert said() == []  # that is of the command before
        with locked(job.path):
            job.write_metrics({"val/acc": 0.9, "seconds": 7, "folder": job.path.name})
            lines.look()
            assert said() == []
            job.log.write_text(job.log.read_text() + "almost full\n")
        lines.look()
        assert [line[:30].rstrip() for line in said()] == ["1/3  seed=1  val/acc 0.9000", "     almost full"]


def test_jobs_that_were_running_when_a_command_ended_have_no_line(shown):
    lines, runs, said = shown
    runs[0].write_metrics({"val/acc": None, "seconds": 7, "folder": runs[0].path.name})
    with pytest.raises(KeyboardInterrupt), lines.following([job.path.name for job in runs[1:]], one_by_one=True):
        runs[1].write_failure("pruned", "pruned in epoch 1")
        raise KeyboardInterrupt
    assert said() == ["1/3  seed=1  pruned in epoch 1"]
    assert lines.line(runs[0].path.name).startswith("1/3  seed=1       7 s  ")  # a figure that is none is not shown
    runs[2].job.write_text("damaged")
    assert lines.line(runs[2].path.name).startswith("1/3  2_seed=1  queued: ")


def test_no_word_of_a_job_of_somebody_else_controls_the_terminal(shown, monkeypatch, capsys):
    lines, runs, _ = shown
    for job in runs:
        job.job.write_text(JOB.replace("seed=1", r'"name=\x1b[2J"'))
        job.log.write_text("a note\x1b]0;owned\x07\n")
        job.write_failure("failed", "the reason \x1b[2J")
    name = runs[0].path.name
    assert lines.line(name) == "0/3  name=\\x1b[2J  failed: the reason \\x1b[2J"
    assert lines.new_notes(name, 0) == ["     a note\\x1b]0;owned\\x07"]

    best = SimpleNamespace(status="finished", folder=runs[0].path, folds=0)
    monkeypatch.setattr("proj.sweeps.summary.report", lambda *args: {"rows": [{"runs": [best]}]})
    monkeypatch.setattr("proj.sweeps.summary.best_again", lambda *args: "name=\x1b[2J")
    summarise(lines.sweep, failures=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out and "failed: the reason \\x1b[2J" in out and "again: name=\\x1b[2J" in out


def test_of_many_notes_the_first_are_shown_and_the_others_counted(shown):
    lines, (job, *_), _ = shown
    for first, number_of_lines in ((0, 9), (9, 9), (18, 9), (27, 1)):
        job.log.write_text("".join(f"note {number}\n" for number in range(first, first + 9)))
        said = lines.new_notes(job.path.name, 0)
        last = "     1 note more: " if number_of_lines > 1 else "     9 notes: "
        assert len(said) == number_of_lines and said[-1].startswith(last)


def test_a_terminal_of_few_letters_shows_a_job_by_their_numbers(tmp_path, monkeypatch):
    with open(tmp_path / "out", "w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        with own_stdout() as copy:
            copy.write("größe=1\n")
    assert (tmp_path / "out").read_text() == "gr\\xf6\\xdfe=1\n"
