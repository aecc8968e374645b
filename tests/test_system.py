"""Linux, macOS and Windows: what one has and another lacks, and files that several processes share."""

import errno
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from PIL import Image
from support.made_runs import change, write_run
from support.processes import PATIENCE, in_child, start_server, wait_for

import proj
import proj.sweeps.folder
import proj.system.locks
from proj.config.explain import explain
from proj.config.words import as_hydra_reads
from proj.data.tables.table_files import FoundTables, describe_files
from proj.errors import UserError
from proj.reports.page import link
from proj.reports.runs import read_run
from proj.sweeps.lines import own_stdout
from proj.system.exits import Stopped, stop_signals_as_exits
from proj.system.files import refuse_unwritable, write_atomically
from proj.system.folders import nearest_to, relative
from proj.system.forked import Forked
from proj.system.locks import alone, is_locked, locked, one_gpu
from proj.system.names import RESERVED, file_name
from proj.system.platform import (
    STOP_SIGNALS,
    ending,
    memory,
    or_unread,
    printable_output,
    read_at,
    replace,
    sync_folder,
)
from proj.system.processes import CAN_BLOCK_SIGNALS, workers_without_ctrl_c
from proj.system.run_folder import RunFolder
from proj.system.slurm import requeue
from proj.training.results import other_checkpoints
from proj.training.robustness.signals import StopSignals

FORK = multiprocessing.get_context("fork")


def write_photos(folder: Path) -> None:
    for number, name in enumerate(("猫", "犬 ×", "c")):
        (folder / name).mkdir(parents=True)
        for k in range(6):
            Image.fromarray(np.full((30, 40, 3), 60 * number + k, np.uint8)).save(folder / name / f"{k}é.png")


@pytest.mark.slow
def test_all_commands_run_without_what_windows_and_macos_lack(tmp_path):
    """One process, as of an ASCII terminal; see support/elsewhere.py."""
    write_photos(tmp_path / "写真")
    (tmp_path / "rows.csv").write_text("5.1,3.5,1.4,0.2\n")
    quick = ["trainer.max_epochs=1", "trainer.accelerator=cpu"]
    photos = ["dataset=image_folder", "data_dir=写真", "dataset.cache_dir=cache", "dataset.size=8", "model=mlp", *quick]
    photos += ["dataset.batch_size=4"]
    long = "model.hidden=" + ",".join(f"[{','.join(['16'] * n)}]" for n in (30, 31))
    commands = [
        ["proj.train", "--help"],
        ["proj.train", *quick, "hydra.run.dir=run", "save_every=0"],
        ["proj.train", "resume=run"],
        ["proj.evaluate", "run=run"],
        ["proj.predict", "run=run", "input=rows.csv", "output=rows.jsonl"],
        ["proj.train", "-m", "sweep_name=s", "model=mlp", long, *quick],
        ["proj.sweep", "resume=outputs/sweeps/s"],
        ["proj.train", "-m", "hydra/sweeper=optuna", "sweep_name=o", "hydra.sweeper.n_trials=2", "seed=1,2", *quick],
        ["proj.train", *photos, "hydra.run.dir=memory"],
        ["proj.train", *photos, "dataset.memory_limit_mb=0", "hydra.run.dir=disk"],
        ["proj.evaluate", "run=disk", "split=all", "data_dir=写真"],
        ["proj.predict", "run=disk", "input=写真", "output=photos.csv", "show=true"],
        ["proj.export", "run=disk", "format=torch_export"],
        ["proj.report", "--help"],
        ["proj.report", "run", "outputs", "memory", "disk"],
    ]
    (tmp_path / "commands.json").write_text(json.dumps(commands))
    program = [sys.executable, Path(__file__).with_name("support") / "elsewhere.py", "commands.json"]
    ascii_terminal = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    ended = subprocess.run(program, cwd=tmp_path, env=ascii_terminal, capture_output=True, timeout=PATIENCE)
    said = ended.stdout.decode("ascii")
    assert re.findall("^exit code (.*)", said, re.M) == ["0"] * len(commands), said + ended.stderr.decode()
    assert "no locks" not in said and "\\u732b" in said  # 猫
    assert "\n写真/猫/0é.png,猫," in (tmp_path / "photos.csv").read_text(encoding="utf-8").replace("\r", "")
    both = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("memory", "disk")]
    assert both[0]["test/acc"] == both[1]["test/acc"] and set(both[0]["test/acc_per_class"]) == {"猫", "犬 ×", "c"}
    jobs = [file.parent.name for file in tmp_path.glob("outputs/sweeps/s/*/best.ckpt")]
    assert len(jobs) == 2 and max(map(len, jobs)) <= 80
    assert not list(tmp_path.rglob("*.tmp"))


def test_only_one_module_asks_what_the_system_has_and_one_how_its_shell_quotes():
    calls = r"\bos\.(name|fork|pread|sched_|get[ug]id|killpg)"
    lacking = re.compile(rf"fcntl|signal\.SIG(USR|KILL)|/proc/|libc\.so|{calls}")
    folder = Path(proj.__file__).parent
    for words, owner in ((lacking, "system/platform.py"), (re.compile("shlex|list2cmdline"), "system/shell.py")):
        files = [file for file in folder.rglob("*.py") if words.search(file.read_text(encoding="utf-8"))]
        assert [str(file.relative_to(folder)) for file in files] == [owner]


@pytest.mark.parametrize("text", ["a:b?*<>|", "nul", "aux.txt", "COM1", "lr=1.", "x ", "日本", "a\x00b\n", "x" * 300])
def test_names_made_from_settings_are_taken_by_every_system(text):
    for name in (file_name(text), file_name(f"7_{text}")):
        assert re.fullmatch(r"[\w.=,+-]{0,79}[\w=,+-]", name, re.ASCII) and not RESERVED.fullmatch(name)


def test_the_folder_of_an_older_sweeps_job_keeps_its_name(tmp_path, configure):
    own = ["model.hidden=[" + ",".join(["128"] * 30) + "]"]
    sweep = proj.sweeps.folder.Sweep(tmp_path)
    old = f"3_model.hidden=_{','.join(['128'] * 30)}_"[:150].rstrip("_")
    config = OmegaConf.create({"data_dir": "data", "dataset": {}, "hydra": {"sweep": {}, "job": {}}})
    new = sweep.freeze(3, own, config)
    assert len(new) == 80 and old.startswith(new)
    sweep = proj.sweeps.folder.Sweep(tmp_path / "older")
    sweep.names[3] = old
    assert sweep.freeze(3, own, config) == old


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "a" * 81, "a."])
def test_a_sweeps_name_is_one_that_every_system_takes(mistake, name):
    said = mistake("proj.train", "-m", f"sweep_name={name}", "seed=1,2")
    assert f"sweep_name={name} is not a name of letters" in said


@pytest.mark.parametrize("value", [r"C:\my data\x (1)", r"C:\it's", r"\\server\share (x)", "C:\\x (1)\\", "a\\"])
def test_paths_with_backslashes_are_taken_as_they_are(value, monkeypatch):
    monkeypatch.setattr("proj.system.shell.WINDOWS", True)
    assert OverridesParser.create().parse_override(as_hydra_reads(f"data_dir={value}")).value() == value


def test_a_drive_that_is_missing_is_one_sentence(monkeypatch):
    asked = iter([False] * 20)
    monkeypatch.setattr(os.path, "lexists", lambda path: next(asked))  # as of Z:, for which / stands here
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert nearest_to("/runs/digits") == ""
    with pytest.raises(UserError, match=r"y\.csv could not be written \(its drive is missing\): name another place"):
        refuse_unwritable(Path("/x/y.csv"))


def test_a_name_that_the_system_refuses_is_one_sentence():
    for number in (errno.EINVAL, errno.ENAMETOOLONG):
        assert "a:b could not be written (odd): give it another name" in explain(OSError(number, "odd", "a:b"))
    assert "x cannot be read or written (no): change its permissions" in explain(
        PermissionError(errno.EACCES, "no", "x")
    )
    assert "make room" not in explain(OSError(errno.EROFS, "read-only", "x"))


def test_how_a_process_ended_is_said_for_every_code():
    assert ending(3221225477) == "exit code 3221225477" and ending(-9).startswith("signal SIGKILL")
    assert ending(-(signal.SIGRTMIN + 1)).startswith("signal 35")


def refuse(monkeypatch, times: int) -> list:
    """Let `os.replace` be refused that often, as Windows does while the target is open; the calls."""
    real, calls = os.replace, []

    def replaced(*paths):
        calls.append(paths)
        if len(calls) <= times:
            raise PermissionError(13, "Access is denied")
        real(*paths)

    monkeypatch.setattr("os.replace", replaced)
    return calls


def test_a_file_that_another_program_has_open_is_tried_again_and_then_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        calls = refuse(patch, 3)
        write_atomically(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new" and len(calls) == 4
    refuse(monkeypatch, 10**6)
    (tmp_path / "b").touch()
    with pytest.raises(PermissionError) as raised:
        replace(tmp_path / "b", tmp_path / "a", patience=0.1)
    assert "a cannot be read or written (Access is denied; perhaps another program has it open)" in explain(
        raised.value
    )
    assert (tmp_path / "a").read_bytes() == b"new" and (tmp_path / "b").exists()


def test_a_run_of_another_system_is_reported_with_its_checkpoint(tmp_path):
    run = write_run(tmp_path / "run")
    for name in (r"outputs\iris\best.ckpt", "/home/me/outputs/best.ckpt"):
        change(run / "metrics.json", {"checkpoint": name})
        assert read_run(run).checkpoint == run / "best.ckpt"


def test_a_system_that_opens_no_folder_goes_without_syncing_it(tmp_path, monkeypatch):
    def refuse(*words):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    sync_folder(tmp_path)


def write_often(path: Path, letter: str) -> None:
    for _ in range(50):
        write_atomically(path, letter * 10_000)


def test_writers_of_one_file_do_not_hinder_each_other_and_readers_see_it_whole(tmp_path):
    path = tmp_path / "report.csv"
    write_atomically(path, "a" * 10_000)
    writers = [FORK.Process(target=write_often, args=(path, letter)) for letter in "ab"]
    for process in writers:
        process.start()
    while any(process.is_alive() for process in writers):
        assert path.read_bytes() in (b"a" * 10_000, b"b" * 10_000)
    assert [process.exitcode for process in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["report.csv"]


def test_what_a_killed_process_has_left_of_a_checkpoint_is_removed(tmp_path):
    for name in ("last.ckpt.0a1b2c3d.tmp", "last.ckpt", "mine.tmp", "report.csv.0a1b2c3d.tmp"):
        (tmp_path / name).touch()
    RunFolder(tmp_path).remove_unfinished_checkpoints()
    assert sorted(os.listdir(tmp_path)) == ["last.ckpt", "mine.tmp", "report.csv.0a1b2c3d.tmp"]


def test_a_file_is_read_by_offset_on_every_system(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(bytes(range(200)))
    with open(tmp_path / "a", "rb") as file:
        for _ in range(2):
            assert read_at(file, 5, 100) == bytes(range(100, 105)) and read_at(file, 9, 198) == b"\xc6\xc7"
            monkeypatch.delattr("os.pread", raising=False)


@pytest.fixture
def quick_beats(monkeypatch):
    """Signs of life often enough for a test, and a silence that no busy machine keeps by itself."""
    monkeypatch.setattr("proj.system.locks.BEAT", 0.05)
    monkeypatch.setattr("proj.system.locks.SILENCE", 60)
    monkeypatch.setattr("proj.system.locks.warned", set())


@pytest.fixture
def without_locks(monkeypatch, quick_beats):
    def refuse(*words, **settings):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("proj.system.locks.lock_descriptor", refuse)


def lock_as_elsewhere(folder: Path) -> None:
    """As a process on another machine does."""
    (folder / ".lock").write_text(" process 4711 on faraway")


def test_a_folder_that_is_held_on_another_machine_is_refused_and_shown_as_running(tmp_path, quick_beats):
    lock_as_elsewhere(tmp_path)
    ended = threading.Event()
    beats = threading.Thread(target=proj.system.locks.beat, args=(tmp_path / ".lock", ended))
    beats.start()
    try:
        assert RunFolder(tmp_path).status() == ("running", "")
        with pytest.raises(UserError, match=r"is in use by process 4711 on faraway\. Wait"), locked(tmp_path):
            pass
    finally:
        ended.set()
        beats.join()
    os.utime(tmp_path / ".lock", (0, 0))  # the last sign of life is long ago
    assert RunFolder(tmp_path).status()[0] != "running"


def test_a_folder_whose_holder_on_another_machine_died_is_taken_after_a_look(
    tmp_path, quick_beats, monkeypatch, capsys
):
    lock_as_elsewhere(tmp_path)
    monkeypatch.setattr("proj.system.locks.SILENCE", 0.1)
    with locked(tmp_path):
        assert "was not released by process 4711 on faraway: checking for" in capsys.readouterr().out
        assert (tmp_path / ".lock").read_text().split() == ["process", str(os.getpid()), "on", socket.gethostname()]
    with locked(tmp_path):  # which was given back
        assert capsys.readouterr().out == ""


def test_a_file_system_without_locks_is_told_of_once_and_guarded_by_signs_of_life(tmp_path, without_locks, capsys):
    with alone(tmp_path / "x.lock"), locked(tmp_path):
        assert capsys.readouterr().out.count("has no locks (No locks available): start one process at a time") == 1
        assert is_locked(tmp_path)
        with pytest.raises(UserError, match=f"in use by process {os.getpid()} on"), locked(tmp_path):
            pass
    capsys.readouterr()
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match=r"has no locks .*trainer\.devices=\[0\]"), one_gpu(tmp_path / ".gpu", 2):
        pass


def test_asking_whether_a_folder_is_in_use_disturbs_nobody(tmp_path):
    stop = FORK.Event()

    def ask():
        while not stop.is_set():
            is_locked(tmp_path)

    asking = [FORK.Process(target=ask) for _ in range(2)]
    for process in asking:
        process.start()
    for _ in range(30):
        with locked(tmp_path):
            assert is_locked(tmp_path)
        assert not is_locked(tmp_path)
    stop.set()
    for process in asking:
        process.join()
    assert [process.exitcode for process in asking] == [0, 0]


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    happened, real = [], os.replace

    def replaced(source, target):
        happened.append("in its place")
        real(source, target)

    monkeypatch.setattr("os.fsync", lambda descriptor: happened.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr("os.replace", replaced)
    write_atomically(tmp_path / "a", b"new")
    assert happened[:2] == [3, "in its place"] and len(happened) == 3  # then its name, in the folder


def test_a_forked_command_has_its_words_environment_and_files_and_ends_as_any_other(tmp_path, monkeypatch):
    (tmp_path / "told.py").write_text(
        "import atexit, os, signal, sys, time\n"
        "def main():\n"
        "    atexit.register(print, 'at the end')\n"
        "    print(sys.argv[1:], os.environ['WORD'], os.environ['PROJ_BAR'].split(' ', 1)[1], 'HOME' in os.environ)\n"
        "    print('wrong', file=sys.stderr)\n"
        "    os.write(int(os.environ['PROJ_BAR'].split()[0]), b'the bar')\n"
        "    if sys.argv[1] == 'wait':\n        time.sleep(60)\n"
        "    sys.exit(int(sys.argv[1]))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    start_server()  # the one of the other tests: a server that `Forked` starts would have their commands block signals
    names = ("out", "err", "terminal")
    for word, code in (("3", 3), ("wait", -signal.SIGTERM)):
        files = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in names]
        env = {"WORD": "yes", "PROJ_BAR": f"{files[2]} job 1", "PATH": os.environ["PATH"]}
        process = Forked("proj.sweeps.preload", "told", [word], env, files)
        if word == "wait":
            wait_for((tmp_path / "terminal").read_text)
            process.send_signal(signal.SIGTERM)
        assert process.wait() == code
        out, err, bar = ((tmp_path / name).read_text() for name in names)
        assert out.startswith(f"['{word}'] yes job 1 False\n") and (err, bar) == ("wrong\n", "the bar")
        assert ("at the end" in out) == (word == "3")
        for file in files:
            os.close(file)


def test_a_signal_ends_a_command_with_its_code_even_if_a_library_fails_over_the_exit(capsys):
    with pytest.raises(Stopped) as stop, stop_signals_as_exits(said="type it again."):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            raise AttributeError("as OmegaConf's, whose flags are half set")
    assert stop.value.code == 143 and "Stopped by SIGTERM: type it again." in capsys.readouterr().err


def test_an_exit_that_a_library_loses_ends_the_command_at_the_next_step_and_no_later_command():
    with pytest.raises(Stopped) as stop, stop_signals_as_exits(STOP_SIGNALS):
        with suppress(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        signals = StopSignals()
        signals.install()
        assert signals.number == signal.SIGTERM
        with stop_signals_as_exits():
            pytest.fail("it began")
    assert stop.value.code == 143
    with stop_signals_as_exits():
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone")
def test_a_forked_process_is_stopped_by_a_signal_of_its_first_moment(tmp_path):
    (tmp_path / "server.py").write_text("from proj.system.forked import block_stops\nblock_stops()\n")
    (tmp_path / "waits.py").write_text("import time\n\ndef main():\n    time.sleep(60)\n")
    (tmp_path / "starts.py").write_text(
        "import os, signal\nfrom proj.system.forked import Forked\n"
        "if __name__ == '__main__':\n    process = Forked('server', 'waits', [], dict(os.environ), [1, 2])\n"
        "    process.send_signal(signal.SIGTERM)\n    code = process.wait()\n"
        "    process.send_signal(signal.SIGTERM)  # to one that has ended\n    print(code)\n"
    )
    ended = subprocess.run([sys.executable, "starts.py"], cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert ended.stdout == f"{-signal.SIGTERM}\n", ended.stderr


def test_what_windows_says_of_a_pipe_that_nobody_reads_ends_no_command(tmp_path):
    def write(text: str) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    with open(tmp_path / "pipe", "w") as stream:
        assert or_unread(stream, write)("a line") == 6


def test_a_command_goes_on_where_nobody_reads_what_it_prints(monkeypatch):
    reader, writer = os.pipe()
    with open(writer, "w") as stream:
        for name in ("stdout", "__stdout__"):
            monkeypatch.setattr(sys, name, stream)
        printable_output()
        lines = own_stdout()  # of a sweep, which is a copy
        os.close(reader)
        for _ in range(3):
            print("a line")
            lines.write("a job")
            lines.flush()
        lines.close()


def test_a_command_that_was_started_without_its_output_goes_on_and_no_file_takes_its_place():
    def work() -> list:
        os.close(1)
        sys.stdout = None
        printable_output()
        print("a line", flush=True)
        with open(os.devnull) as file:
            return [file.fileno() > 2, os.path.sameopenfile(1, file.fileno()), os.get_inheritable(1)]

    assert in_child(work) == [True, True, True]


def test_a_command_goes_on_in_a_terminal_that_was_closed(tmp_path):
    terminal, end = os.openpty()
    code = "import pathlib, sys; from proj.system.platform import printable_output; printable_output(); print('a line')"
    code += "; sys.stdin.readline(); [print('a line') for _ in range(3)]; pathlib.Path('done').touch()"
    streams = {"stdin": subprocess.PIPE, "stdout": end, "stderr": end}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **streams) as process:
        os.read(terminal, 4)
        os.close(end)
        os.close(terminal)
    assert process.returncode == 0 and (tmp_path / "done").exists()


@pytest.mark.parametrize(("at_first", "stops"), (("DFL", True), ("IGN", False)))
def test_a_closed_terminal_stops_a_command_unless_it_was_started_with_nohup(at_first, stops):
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_{at_first}); "
    code += "from proj.system.platform import STOP_SIGNALS; print(signal.SIGHUP in STOP_SIGNALS)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert process.stdout == f"{stops}\n"


def test_ctrl_c_while_a_command_is_imported_leaves_no_traceback(command):
    process = command("-c", "import sys; sys.argv = ['-m']; import proj; raise KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT and not process.stderr


def test_ctrl_c_leaves_no_traceback_from_the_first_import_on(command):
    code = """if True:
        import sys
        class Stop:
            def find_spec(self, name, *rest):
                if name.startswith("proj.") or name == "logging":
                    raise KeyboardInterrupt
        sys.argv, sys.meta_path[:0] = ["-m"], [Stop()]
        import proj"""
    process = command("-c", code)
    assert process.returncode == -signal.SIGINT and not process.stderr


def test_a_container_without_the_commands_of_slurm_queues_nothing(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", "")
    requeue(signal.SIGTERM)


def test_a_folder_whose_holder_on_this_machine_died_is_free_and_taken_without_a_wait(tmp_path, monkeypatch):
    (tmp_path / ".lock").write_text(f" process 1 on {socket.gethostname()}")
    assert not is_locked(tmp_path)
    monkeypatch.setattr(proj.system.locks, "has_heartbeat", lambda *args: 1 / 0)
    with locked(tmp_path):
        assert is_locked(tmp_path)


def test_the_memory_of_a_container_is_what_it_may_take(tmp_path, monkeypatch):
    limit, older = tmp_path / "memory.max", tmp_path / "none"
    monkeypatch.setattr("proj.system.platform.LIMITS", (limit, older))
    limit.write_text("max\n")
    whole = memory()
    limit.write_text("1048576\n")
    assert memory() == 2**20 and (whole is None or whole > 2**20)


@pytest.mark.skipif(not CAN_BLOCK_SIGNALS, reason="Windows withholds no signal")
def test_ctrl_c_reaches_the_command_and_nothing_that_it_starts_until_that_asks_for_it():
    code = "import os, signal\nfrom proj.system.processes import hear_ctrl_c\n"
    code += "os.kill(os.getpid(), signal.SIGINT)\nprint('deaf', flush=True)\nhear_ctrl_c()\nprint('still deaf')"

    def work() -> tuple:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore Ctrl-C
        with pytest.raises(KeyboardInterrupt), workers_without_ctrl_c():
            started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(600):  # another thread may get the signal, so that no sleep is cut short
                time.sleep(0.1)
        return started.stdout.split(), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert in_child(work) == (["deaf"], False)


def test_files_on_two_drives_of_windows_are_named_by_their_whole_paths(monkeypatch, tmp_path):
    def refuses(path, start=None):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", refuses)
    assert relative(str(tmp_path), "/other") == str(tmp_path)
    assert link(str(tmp_path)) == tmp_path.as_uri() + "/"
    file = str(tmp_path.resolve() / "x.ckpt")
    kept = SimpleNamespace(monitor="val/loss", best_model_path=file, best_model_score=0.5)
    trainer = SimpleNamespace(default_root_dir=".", checkpoint_callbacks=[kept])
    assert other_checkpoints(trainer, "val/acc") == {"other_checkpoints": {file: {"val/loss": 0.5}}}
    monkeypatch.setattr(os.path, "commonpath", refuses)
    files = ["/c/a.csv", "/d/b.csv"]
    assert describe_files(FoundTables(files, ["", ""], []), []) == ["one table of 2 files: /c/a.csv, /d/b.csv"]
