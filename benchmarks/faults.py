"""What a command says when something breaks, for more than twenty faults: `python benchmarks/faults.py [WORD ...]`.

Each fault, such as a full disk or a damaged checkpoint, is provoked in a real run, in a fork of this process. The
benchmark prints a table of the messages and exit codes, from which docs/robustness.md has its shortened one, and fails
if a command ended in a traceback. It takes a minute or two, and writes no result file. Faults of disks are provoked on
small file systems in memory, which only root may mount; WORDs choose the faults whose names contain one of them.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process with threads cannot be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import torch
from test_faults import fill

import proj.train
from proj.config.compose import configure
from proj.models import Classifier
from proj.system.locks import locked
from proj.training.run import train

SHORT = ["trainer.max_epochs=2", "scheduler=none", "save_every=0", "~callbacks.progress"]
DIGITS = ["dataset=digits", "model=mlp", *SHORT]
TRACEBACK = 70  # stands for a command that ends in a traceback instead of a message, which is a bug
FAULTS: dict[str, Callable[[Path], list[str]]] = {}


def fault(name: str):
    """Decorate a function that prepares a fault in a folder and returns the arguments of `proj.train`."""

    def add(prepare: Callable[[Path], list[str]]):
        FAULTS[name] = prepare
        return prepare

    return add


def plain(name: str, *words: str) -> None:
    """Add a fault that needs no preparation, only these arguments."""
    fault(name)(lambda home: [*words, f"hydra.run.dir={home}/run"])


def disk(home: Path, size: str) -> Path:
    """The folder of a new file system in memory with room for `size`."""
    (home / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(home / "disk")], check=True)
    return home / "disk"


def half_a_run(home: Path, words: list[str]) -> Path:
    """The folder of a run that has trained one of its two epochs."""
    train(configure(*words, "trainer.max_epochs=1", f"hydra.run.dir={home}/run"))
    return home / "run"


@fault("the disk fills up under a checkpoint")
def _(home):
    return [*DIGITS, f"hydra.run.dir={disk(home, '350k')}/run"]


@fault("the disk fills up under TensorBoard's file")
def _(home):
    folder = disk(home, "2m")
    step = Classifier.training_step

    def training_step(self, batch, batch_idx):
        fill(folder)
        return step(self, batch, batch_idx)

    Classifier.training_step = training_step
    return [*SHORT, "fast_loop=false", "save_every=1000", f"hydra.run.dir={folder}/run"]


@fault("the disk is full before the run")
def _(home):
    fill(disk(home, "64k"))
    return [*SHORT, f"hydra.run.dir={home}/disk/run"]


@fault("the output folder is read-only")
def _(home):
    subprocess.run(["mount", "-o", "remount,ro", str(disk(home, "64k"))], check=True)
    return [*SHORT, f"hydra.run.dir={home}/disk/run"]


@fault("another process runs in the folder")
def _(home):
    (home / "run").mkdir()
    if not os.fork():
        with locked(home / "run"):
            signal.alarm(30)
            signal.pause()
    return [*SHORT, f"hydra.run.dir={home}/run"]


def damage(name: str, change: Callable[[bytes], bytes], both: bool = False) -> None:
    """Add a fault: the content of last.ckpt, and of previous.ckpt too if `both`, is changed between two epochs."""

    def prepare(home: Path) -> list[str]:
        folder = half_a_run(home, SHORT)
        for file in (folder / "last.ckpt", folder / "previous.ckpt")[: 1 + both]:
            file.write_bytes(change(file.read_bytes()))
        return [*SHORT, f"hydra.run.dir={folder}"]

    fault(name)(prepare)


def flip(content: bytes) -> bytes:
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


damage("the newest checkpoint is cut off", lambda content: content[:-100])
damage("a bit of the newest checkpoint is flipped", flip)
damage("the newest checkpoint is empty", lambda content: b"")
damage("every checkpoint is damaged", lambda content: b"<html>", both=True)


@fault("the checkpoint holds code")
def _(home):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(home / "executed"),)

    folder = half_a_run(home, SHORT)
    torch.save({"state_dict": Evil()}, folder / "last.ckpt")
    return [*SHORT, f"hydra.run.dir={folder}"]


@fault("the run in the folder is of another model")
def _(home):
    return [*SHORT, "model=mlp", f"hydra.run.dir={half_a_run(home, SHORT)}"]


@fault("a setting has changed")
def _(home):
    return [*SHORT, "optimizer.lr=0.01", f"hydra.run.dir={half_a_run(home, SHORT)}"]


def mnist(home: Path) -> list[str]:
    from support.images import draw, write_idx

    labels = torch.arange(200).remainder(10).byte().numpy()
    for part in ("train", "t10k"):
        write_idx(home / "MNIST" / "raw" / f"{part}-images-idx3-ubyte", draw(labels, 28, 1, 0)[..., 0])
        write_idx(home / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte", labels)
    return ["dataset=mnist", "model=mlp", "dataset.batch_size=20", f"data_dir={home}", *SHORT]


@fault("a data file is cut off")
def _(home):
    words, file = mnist(home), home / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    return [*words, f"hydra.run.dir={home}/run"]


@fault("a data file has changed since the run began")
def _(home):
    words, file = mnist(home), home / "MNIST" / "raw" / "train-images-idx3-ubyte"
    half_a_run(home, words)
    file.write_bytes(file.read_bytes()[:-1] + b"\7")
    return [*words, f"hydra.run.dir={home}/run"]


@fault("the data is missing and cannot be downloaded")
def _(home):
    import torchvision

    torchvision.datasets.MNIST.mirrors = ["http://127.0.0.1:9/"]
    return ["dataset=mnist", f"data_dir={home}/none", *SHORT, f"hydra.run.dir={home}/run"]


plain("the loss turns NaN or infinite", "optimizer=sgd", "optimizer.lr=1e30", *SHORT)


@fault("the memory does not suffice")
def _(home):
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, hard))
    words = ["dataset=digits", "model=cnn", "model.widths=[1024,1024]", "dataset.batch_size=1200", *SHORT]
    return [*words, f"hydra.run.dir={home}/run"]


plain("a GPU is asked for, and there is none", "trainer=gpu")
plain("0 epochs", "trainer.max_epochs=0")
plain("batch size 0", "dataset.batch_size=0")
plain("a batch larger than the data", "dataset.batch_size=1000", *SHORT)
plain("a validation part of 0", "dataset=digits", "dataset.val_fraction=0")
plain("a validation part of 1", "dataset=digits", "dataset.val_fraction=1")


def send(number: int) -> Callable[[Path], list[str]]:
    """A fault: the run receives the signal `number` in its sixth step."""

    def prepare(home: Path) -> list[str]:
        step = Classifier.training_step

        def training_step(self, batch, batch_idx):
            if batch_idx == 5:
                os.kill(os.getpid(), number)
            return step(self, batch, batch_idx)

        Classifier.training_step = training_step
        return [*SHORT, "fast_loop=false", f"hydra.run.dir={home}/run"]

    return prepare


fault("Ctrl-C")(send(signal.SIGINT))
fault("SIGTERM, or SIGUSR1 from Slurm")(send(signal.SIGTERM))


def provoke(prepare: Callable[[Path], list[str]], home: Path) -> tuple[int, str]:
    """Run a command in a fork, after `prepare` has prepared the fault: (its exit code, what it printed)."""
    child = os.fork()
    if not child:
        code = 0
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        torch.set_num_threads(1)
        try:
            os.chdir(home)
            sys.argv = ["train", *prepare(home)]
            sys.stdout.flush()
            said = os.open(home / "said", os.O_WRONLY | os.O_CREAT)
            os.dup2(said, 1)
            os.dup2(said, 2)
            proj.train.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            code = TRACEBACK
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), (home / "said").read_text() if (home / "said").exists() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="a part of the names of faults; default: all faults")
    chosen = parser.parse_args().words
    print("| what breaks | what the command says | exit code |\n| --- | --- | ---: |")
    tracebacks = 0
    for name, prepare in FAULTS.items():
        if chosen and not any(word in name for word in chosen):
            continue
        home = Path(tempfile.mkdtemp())
        try:
            code, said = provoke(prepare, home)
            marks = r"^error: |damaged|truncated|Stopped|resume=|was not opened|is more than"
            messages = [line for line in said.splitlines() if re.search(marks, line)]
            shown = " ".join(" ".join(messages or said.splitlines()[-1:]).split()).replace(f"{home}/", "")
            shown = re.sub(r"process \d+ on [^\s.]+", "process 4711 on here", shown).replace("|", "\\|")
            print(f"| {name} | {shown} | {code} |", flush=True)
            tracebacks += code == TRACEBACK
        finally:
            with contextlib.suppress(FileNotFoundError):
                subprocess.run(["umount", "-l", str(home / "disk")], capture_output=True)
            shutil.rmtree(home, ignore_errors=True)
    if tracebacks:
        sys.exit(f"{tracebacks} of these commands ended in a traceback.")


if __name__ == "__main__":
    main()
