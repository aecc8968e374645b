"""The same training in several libraries, compared: `python benchmarks/peers.py --data data`.

There are two tasks: MNIST with the MLP 784-128-10, and 12,000 images of CIFAR-10 (10,000 of them for training) with two
convolutions of 3×3, with 32 and 64 channels, each with ReLU and max-pooling, and a linear layer. All libraries use the
same split, Adam at 1e-3, batches of 64, pixels in 0..1, float32 and one thread, without progress bars. Their programs
are in benchmarks/peer_programs.py. Each run is a process of its own; in each of `--rounds` rounds every library runs
once, with the number of the round as the seed. The table shows medians, and the mean of the accuracies.

The libraries are installed into virtual environments below `--folder` (Ludwig has one of its own), with uv if it is
there. Each result is stored in `<folder>/runs.json` at once, and runs with a result are not repeated. Needs the files
of MNIST and CIFAR-10. Three rounds take about a quarter of an hour after the installation. The tables go to
benchmarks/results/peers_mnist.json and peers_cifar10.json.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from peer_programs import PROGRAMS
from record import record

HERE = Path(__file__).parent
PACKAGES = {"peers": ["skorch", "fastai", "keras", "lightning"], "ludwig": ["ludwig"]}
SHOWN = ("torch", "lightning", "skorch", "fastai", "keras", "ludwig", "numpy")
NAMES = {"x": "inputs", "y": "targets"}
PLAIN = "scheduler=none augment=none optimizer=adam"
SETTINGS = {  # the settings with which this project trains each task
    "mnist": "preset=mnist_dnn",
    "cifar10": f"dataset=cifar10 model=cnn {PLAIN} dataset.source._target_=peer_parts.FewPhotos "
    "dataset.val_fraction=0.16666667 dataset.batch_size=64 dataset.mean=[0.0,0.0,0.0] dataset.std=[1.0,1.0,1.0] "
    "model.stem=0 model.widths=[32,64] model.depth=1 model.norm=none model.bias=true model.activation=ReLU "
    "model.pool_after=last model.head=flatten model.loss.label_smoothing=0",
}
OURS = {"proj": "trainer.precision=32-true", "proj, `trainer.precision=auto`": "trainer.precision=auto"}
TITLES = {"mnist": "MNIST, MLP 784-128-10", "cifar10": "10,000 photos of CIFAR-10, two convolutions"}
COLUMNS = {
    "": "{peer}",
    "an epoch, CPU s": "{epoch_cpu:.2f}",
    "wall, s": "{epoch:.1f}",
    "first result, CPU s": "{first_cpu:.1f}",
    "after, s": "{first:.0f}",
    "peak memory, MB": "{memory:,.0f}",
    "test accuracy": "{accuracy:.2f} %",
    "rounds": "{rounds:d}",
}


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(folder: Path) -> None:
    """Create the virtual environments that do not exist yet, and install the libraries into them."""
    for name, packages in PACKAGES.items():
        environment = folder / name
        if (environment / "done").exists():
            continue
        print(f"installing {', '.join(packages)} into {environment}", flush=True)
        packages = [*packages, "-e", str(HERE.parent)] if name == "peers" else packages
        if shutil.which("uv"):
            subprocess.run(["uv", "venv", "-q", "--python", sys.executable, environment], check=True)
            subprocess.run(["uv", "pip", "install", "-q", "-p", python_of(environment), *packages], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            subprocess.run([python_of(environment), "-m", "pip", "install", "-q", *packages], check=True)
        # Ludwig 0.11 imports torchaudio 2.11, whose compiled part fails with a torch for another CUDA version. Ludwig
        # needs only the part in Python, so the compiled one is deleted.
        for file in environment.glob("**/torchaudio/lib/*torchaudio*.so"):
            file.unlink()
        (environment / "done").touch()


def write_data(task: str, data_dir: Path, file: Path) -> None:
    """Write the train, validation and test parts, as this project splits them, for the other libraries."""
    import numpy as np

    from proj.config.compose import configure
    from proj.config.instantiate import build

    if not file.exists():
        data = build(configure(*SETTINGS[task].split(), f"data_dir={data_dir}").dataset)
        data.prepare_data()
        data.setup()
        splits = data.splits.items()
        parts = {f"{key}_{part}": getattr(split, name).numpy() for part, split in splits for key, name in NAMES.items()}
        np.savez(file, **parts)


def run(peer: str, task: str, epochs: int, seed: int, folder: Path, data_dir: Path) -> dict:
    """Train with one library in a new process, and return its times, memory and accuracy.

    Raises RuntimeError with the end of its log if the process fails.
    """
    environment = folder / ("ludwig" if peer == "Ludwig" else "peers")
    with tempfile.TemporaryDirectory() as place:
        result, log = Path(place, "result.jsonl"), Path(place, "log.txt")
        words = [HERE / "peer_programs.py", peer, task, epochs, seed, folder / f"{task}.npz", result]
        if peer in OURS:
            words = ["-m", "proj.train", *SETTINGS[task].split(), OURS[peer], f"trainer.max_epochs={epochs}"]
            words += [f"seed={seed}", f"data_dir={data_dir}", f"hydra.run.dir={place}/run"]
            words += ["+callbacks.clock._target_=peer_parts.Clock"]
        one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(HERE), "PEER_RESULT": str(result)}
        with log.open("w") as output:
            start = time.time()
            process = subprocess.Popen(
                [python_of(environment), *map(str, words)],
                cwd=place,
                env=os.environ | one,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{peer} on {task}:\n{log.read_text()[-3000:]}")
        lines = [json.loads(line) for line in result.read_text().splitlines()]
        marks, facts = [line for line in lines if isinstance(line, list)], {}
        for line in lines:
            facts |= line if isinstance(line, dict) else {}
        if peer in OURS:
            facts["accuracy"] = json.loads(Path(place, "run", "metrics.json").read_text())["test/acc"]
    # An epoch lasts from the end of one evaluation to the end of the next, and includes whatever the library does then.
    epoch, epoch_cpu = ((last - first) / (len(marks) - 1) for first, last in zip(marks[0], marks[-1], strict=True))
    return {
        "epoch": epoch,
        "epoch_cpu": epoch_cpu,
        "first": marks[0][0] - start,
        "first_cpu": marks[0][1],
        "all": time.time() - start,
        "all_cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
        **facts,
    }


def versions(folder: Path) -> dict[str, str]:
    """The versions of the compared libraries in all environments, which have the same torch."""
    of_all = "{d.name.lower(): d.version for d in importlib.metadata.distributions()}"
    code = f"import json, importlib.metadata; print(json.dumps({of_all}))"
    found = {}
    for name in PACKAGES:
        process = subprocess.run([python_of(folder / name), "-c", code], capture_output=True, text=True, check=True)
        found |= json.loads(process.stdout)
    return {name: found[name] for name in SHOWN}


def rows_of(task: str, runs: dict[str, dict]) -> list[dict]:
    """A row for each library: medians over the rounds, and the mean of the accuracies.

    Raises ValueError if the numbers of trained parameters differ.
    """
    rows = []
    for peer in [*PROGRAMS, *OURS]:
        found = [figures for key, figures in runs.items() if key.split("/")[:2] == [task, peer]]
        if found:
            row = {key: statistics.median(figures[key] for figures in found) for key in found[0]}
            accuracies = [100 * figures["accuracy"] for figures in found]
            row |= {"peer": peer, "rounds": len(found), "accuracy": statistics.mean(accuracies)}
            rows.append(row)
    if len({row["parameters"] for row in rows}) > 1:
        raise ValueError(f"not one network: { ({row['peer']: row['parameters'] for row in rows}) }")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--peers", nargs="+", default=[*PROGRAMS, *OURS], choices=[*PROGRAMS, *OURS], metavar="PEER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="at least 2, since times are measured between epochs")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder with MNIST and CIFAR-10")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "proj-peers")
    asked = parser.parse_args()
    folder, data_dir = asked.folder.absolute(), asked.data.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    install(folder)
    file = folder / "runs.json"
    runs = json.loads(file.read_text()) if file.exists() else {}
    # The data is written by another process: the peak memory of a run includes what its parent holds when it starts.
    for task in asked.tasks:
        writing = get_context("spawn").Process(target=write_data, args=(task, data_dir, folder / f"{task}.npz"))
        writing.start()
        writing.join()
    for seed, task, peer in itertools.product(range(asked.rounds), asked.tasks, asked.peers):
        key = f"{task}/{peer}/{seed}/{asked.epochs}"
        if key not in runs:
            try:
                runs[key] = run(peer, task, asked.epochs, seed, folder, data_dir)
            except RuntimeError as error:  # the other libraries still run
                print(error, flush=True)
                continue
            file.write_text(json.dumps(runs, indent=1))
            print(f"{key}: {runs[key]}", flush=True)
    for task in asked.tasks:
        rows = rows_of(task, {key: value for key, value in runs.items() if key.endswith(f"/{asked.epochs}")})
        header, form = (f"| {' | '.join(of)} |" for of in (COLUMNS, COLUMNS.values()))
        epochs = f"{TITLES[task]}, {asked.epochs} epochs"
        record(f"peers_{task}", header, form, rows, versions=versions(folder), note=epochs)


if __name__ == "__main__":
    main()
