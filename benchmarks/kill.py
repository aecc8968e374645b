"""Whether killed runs resume to exactly the same results: `python benchmarks/kill.py [CASE ...]`.

Each case is a preset, a default, or a setting that has caused faults before, trained on its dataset, of which large
ones are cut to the first 600 images. First a run is trained without interruption. Then, until a case has had
`--kills` kills, other runs of it are killed with SIGKILL one to four times each, resumed until they finish, and
compared with the first one: weights, optimizer state, metrics and curves must be the same to the bit. A run is killed
at a random moment, or at one of its writes: half-way through a checkpoint, metrics.json, config.yaml or a TensorBoard
record, or before or after a rename, an fsync, a truncation or a deletion.

Every run is a fork of this process, which has imported everything and read the data, so that it starts fast. The table
goes to benchmarks/results/kill/all.json, or to a file that has the names of the chosen cases. All cases with 50 kills
each took less than 20 minutes on a recent server CPU; they need MNIST, Fashion-MNIST and CIFAR-10.
"""

import argparse
import builtins
import itertools
import os
import random
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process with threads cannot be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tensorboard.summary.writer.record_writer
import torch
import torch.utils.tensorboard
from lightning.pytorch.utilities import rank_zero_only
from record import record
from sklearn.datasets import load_wine
from support.runs import differences, outcome

import proj.data
import proj.models
import proj.models.optimizers
import proj.pictures.tensorboard
import proj.system.files
import proj.system.locks
import proj.training.fast.fast_loop
import proj.training.precision
import proj.training.progress_bar
import proj.training.results
import proj.training.robustness.changes
import proj.training.robustness.divergence
import proj.training.robustness.resume
from proj.config.compose import configure
from proj.config.instantiate import build
from proj.config.stored_run import stored_config
from proj.training.run import train

SLICES = {"mnist": "torchvision.datasets.MNIST", "fashion_mnist": "torchvision.datasets.FashionMNIST"}
CASES = {  # name: (dataset, settings)
    "mnist_dnn": ("mnist", "preset=mnist_dnn"),
    "arm_mnist": ("mnist", "preset=arm_mnist"),
    "fashion_mlp": ("fashion_mnist", "preset=fashion_mlp"),
    "windows_ml_cifar10": ("cifar10", "preset=windows_ml_cifar10 dataset.batch_size=30"),
    "cifar10_fast": (
        "cifar10",
        "preset=cifar10_fast dataset.batch_size=98 model.widths=[16,32] dataset.val_fraction=0.1",
    ),
    "iris_tutorial": (None, "preset=iris_tutorial"),
    "digits_cnn": (None, "dataset=digits model=cnn model.dropout=0.1 dataset.batch_size=200"),
    "cifar10_cnn": ("cifar10", "dataset=cifar10 model=cnn model.widths=[16,32]"),
    "table": (None, "dataset=csv data_dir={home}/wine.csv dataset.target=-1 trainer.max_epochs=6"),
    "average": (None, "dataset=digits model=cnn model.widths=[16,32] callbacks=average scheduler=none"),
    "accumulation": (None, "dataset=digits model=mlp trainer.accumulate_grad_batches=3 scheduler=cosine"),
    "early_stopping": (
        None,
        "callbacks=early_stopping callbacks.early_stopping.patience=1 optimizer=sgd optimizer.lr=1e-9",
    ),
    "ddp_iris": (None, "trainer=ddp trainer.devices=2 trainer.log_every_n_steps=2"),
    "ddp_digits": (
        None,
        "dataset=digits model=mlp model.dropout=0.2 trainer=ddp trainer.devices=2 trainer.log_every_n_steps=2",
    ),
}
PRETRAINED = "dataset=mnist model=pretrained model.backbone=shufflenet_v2_x0_5 model.weights=null model.size=32 "
PRETRAINED += "trainer.precision=32-true "
CASES |= {
    "pretrained_head": ("mnist", PRETRAINED + "model.views=2 dataset.shift=1 model.cache_dir={home}/features"),
    "pretrained_all": ("mnist", PRETRAINED + "model.train=all"),
}
COMMON = ["trainer.max_epochs=3", "trainer.accelerator=cpu", "~callbacks.progress", "seed=3"]


def kill_at_write(at: int, note: Path) -> None:
    """Patch the functions that write, so that this process is killed at its write number `at`.

    The kind of that write is stored in the file `note`. With -1, nothing is killed, and `note` counts the writes.
    """
    count = itertools.count()

    def dies(kind: str) -> bool:
        """Count one write; whether the process should die at it."""
        number = next(count)
        if at < 0:
            note.write_text(str(number + 1))
        elif number == at:
            note.write_text(kind)
        return number == at

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def around(module, name: str) -> None:
        real = getattr(module, name)

        def call(*args, **settings):
            if dies(f"before {name}"):
                kill()
            result = real(*args, **settings)
            if dies(f"after {name}"):
                kill()
            return result

        setattr(module, name, call)

    for name in ("fsync", "replace", "truncate", "unlink"):
        around(os, name)

    def open_and_cut(path, mode="r", *rest):
        file = builtins.open(path, mode, *rest)  # noqa: SIM115
        if "x" not in mode:
            return file

        class Cut:
            def write(self, content):
                if dies(f"half of {Path(path).name.rsplit('.', 2)[0]}"):
                    file.write(content[: len(content) // 2])
                    file.flush()
                    kill()
                return file.write(content)

            def __getattr__(self, name):
                return getattr(file, name)

            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

        return Cut()

    proj.system.files.open = open_and_cut
    writer = tensorboard.summary.writer.record_writer.RecordWriter
    write = writer.write

    def write_record(self, data):
        if dies("half of a TensorBoard record"):
            self._writer.write(data[: len(data) // 2])
            self._writer.flush()
            kill()
        write(self, data)

    writer.write = write_record


def start(words: list[str], folder: Path, rank: int, port: int, at: int | None, note: Path) -> int:
    """Start a run, or one of its two processes, in a fork of this process, and return its process id."""
    if process := os.fork():
        return process
    code = 1
    try:
        for descriptor in (1, 2):
            os.dup2(os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        if port:
            rank_zero_only.rank = rank
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
        if at is not None and rank == 0:
            kill_at_write(at, note)
        stored = (folder / "config.yaml").is_file() and os.getpid() % 2
        # A stored configuration has download=false, but the settings of a run that resumes must be the same.
        again = ["dataset.download=true"] * ("dataset.source._target_=slices.first" in words)
        train(stored_config(folder, again, ["slices"]) if stored else configure(*words, f"hydra.run.dir={folder}"))
        code = 0
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        if not isinstance(error, SystemExit):
            import traceback

            traceback.print_exc()
    finally:
        os._exit(code)


def train_until_killed(
    words: list[str], folder: Path, after: float | None = None, at: int | None = None
) -> tuple[int, str]:
    """Start or resume a run, and wait until it finishes or is killed: (its exit code, at what it was killed).

    after: the seconds after which to kill it. at: the number of the write at which to kill it; -1 counts the writes.
    """
    port, note = 0, folder.with_suffix(".note")
    ranks = 2 if "trainer.devices=2" in words else 1
    if ranks > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    note.unlink(missing_ok=True)
    processes = [start(words, folder, rank, port, at, note) for rank in range(ranks)]
    deadline, codes = time.monotonic() + (600 if after is None else after), {}
    while len(codes) < ranks:
        for process in set(processes) - codes.keys():
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                codes[process] = os.waitstatus_to_exitcode(status)
        late = time.monotonic() > deadline
        if late or any(codes.values()):  # if one process of a run has died, the other would wait for it
            for process in set(processes) - codes.keys():
                os.kill(process, signal.SIGKILL)
        time.sleep(0.002)
    code = codes[processes[0]] or min(codes.values())
    return code, note.read_text() if at is not None and note.exists() else "a random moment"


def sentences_of(total: dict) -> list[str]:
    """The sentences of docs/robustness.md about the kills, for the case that all runs were identical."""
    return [
        f"After {total['kills']:,} kills all {total['identical']:,} runs were identical",
        f"`save_every={total['save_every']:g}`, a kill cost {total['median']:.1f} s of work (median)",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--kills", type=int, default=50, help="kills of each case")
    parser.add_argument("--save-every", type=float, default=0.1, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument(
        "--cifar10", default="torchvision.datasets.CIFAR10", help="a class that reads another copy of it"
    )
    parser.add_argument("--folder", type=Path, help="where to keep runs that differ")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    draw, home = random.Random(chosen.seed), Path(tempfile.mkdtemp(dir=chosen.folder))
    classes, kinds, lost, seen = SLICES | {"cifar10": chosen.cifar10}, Counter(), [], []
    load_wine(as_frame=True).frame.to_csv(home / "wine.csv", index=False)
    for case in chosen.cases or CASES:
        dataset, settings = CASES[case]
        words = [*COMMON, *settings.format(home=home).split(), f"save_every={chosen.save_every}"]
        if dataset:
            words += ["dataset.source._target_=slices.first", f"+dataset.source.of={classes[dataset]}"]
            data = build(configure(*words).dataset)  # read before the forks, which share it
            data.setup()
        whole = home / case.replace(" ", "_")
        began = time.monotonic()
        code, _ = train_until_killed(words, whole, at=-1)
        seconds, writes = time.monotonic() - began, int(whole.with_suffix(".note").read_text())
        if code:
            raise SystemExit(f"{case} fails even without a kill: {Path(f'{whole}.log').read_text()}")
        expected, kills, resumes, identical, different = outcome(whole), 0, 0, 0, 0
        for number in itertools.count():
            if kills >= chosen.kills:
                break
            folder = whole.with_name(f"{whole.name}_{number}")
            # Without the cached features, some runs are killed while they compute them.
            shutil.rmtree(home / "features", ignore_errors=True)
            for _ in range(draw.randint(1, 4)):
                at, after = (draw.randrange(writes), None) if draw.random() < 0.5 else (None, draw.random() * seconds)
                started = time.time()
                code, kind = train_until_killed(words, folder, after, at)
                died = time.time()
                if code == 0:
                    break
                resumes += 1
                if code != -signal.SIGKILL:
                    break
                kills += 1
                kinds[kind] += 1
                saved = [file.stat().st_mtime for file in folder.glob("*.ckpt") if file.stem in ("last", "previous")]
                lost.append(died - max([started, *saved]))  # the seconds of work since the last checkpoint
            code, _ = train_until_killed(words, folder)
            found = differences(expected, outcome(folder)) if code == 0 else [Path(f"{folder}.log").read_text()[-2000:]]
            identical, different = identical + (not found), different + bool(found)
            if found:
                print(f"{folder}: {found[:10]}", file=sys.stderr, flush=True)
            else:
                shutil.rmtree(folder)
        seen.append({"kills": kills, "resumes": resumes, "identical": identical, "different": different, "case": case})
        print(*seen[-1].values(), flush=True)
    total = {"case": "all"} | {name: sum(row[name] for row in seen) for name in list(seen[0])[:-1]}
    total |= {"median": statistics.median(lost), "longest": max(lost), "save_every": chosen.save_every}
    template = "| {case} | {kills:d} | {resumes:d} | {identical:d} | {different:d} |"
    sentences = [] if total["different"] or chosen.cases else sentences_of(total)
    header = "| case | kills | resumes | identical | different |"
    record("kill/" + ("_".join(chosen.cases) or "all"), header, template, [*seen, total], *sentences)
    print("Killed at: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    if not total["different"]:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
