"""The same training in several libraries, side by side: `python benchmarks/peers.py --data data`.

MNIST with the MLP 784-128-10, and 12,000 photos of CIFAR-10 (10,000 to train on) with a plain network of two
convolutions, 32 and 64 channels of 3×3, each with ReLU and max-pooling, and a linear layer; Adam at 1e-3, batches of
64, pixels in 0..1, float32, one thread, no progress bars, the same parts for everyone. benchmarks/peer_programs.py has
each library's program. A run is a process of its own; in a round everybody runs once, round after round, with the
round as the seed.

The libraries come into environments below `--folder`, Ludwig into one of its own, with uv where it is installed. Each
run goes into `<folder>/runs.json` at once, and what is there is not run again.
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
SETTINGS = {  # of this project, for each task
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
    """The environments, each with what it needs, if they are not there."""
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
        # Ludwig 0.11 imports torchaudio 2.11, whose compiled part refuses a torch of another CUDA; Python's is enough.
        for file in environment.glob("**/torchaudio/lib/*torchaudio*.so"):
            file.unlink()
        (environment / "done").touch()


def write_data(task: str, data_dir: Path, file: Path) -> None:
    """The parts as this project draws them, for the others."""
    import numpy as np

    from proj.config.compose import build, configure

    if not file.exists():
        data = build(configure(*SETTINGS[task].split(), f"data_dir={data_dir}").dataset)
        data.prepare_data()
        data.setup()
        splits = data.splits.items()
        parts = {f"{key}_{part}": getattr(split, name).numpy() for part, split in splits for key, name in NAMES.items()}
        np.savez(file, **parts)


def run(peer: str, task: str, epochs: int, seed: int, folder: Path, data_dir: Path) -> dict:
    """The figures of one process. Raises RuntimeError with the end of its log if it fails."""
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
    # An epoch goes from the end of one evaluation to the end of the next one, whatever else the library does there.
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
    """Of all environments; their versions of torch are the same."""
    of_all = "{d.name.lower(): d.version for d in importlib.metadata.distributions()}"
    code = f"import json, importlib.metadata; print(json.dumps({of_all}))"
    found = {}
    for name in PACKAGES:
        process = subprocess.run([python_of(folder / name), "-c", code], capture_output=True, text=True, check=True)
        found |= json.loads(process.stdout)
    return {name: found[name] for name in SHOWN}


def rows_of(task: str, runs: dict[str, dict]) -> list[dict]:
    """Medians over the rounds, and the mean of the accuracies; a peer a row."""
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
    parser.add_argument("--epochs", type=int, default=2, help="at least 2")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of MNIST and CIFAR-10")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "proj-peers")
    asked = parser.parse_args()
    folder, data_dir = asked.folder.absolute(), asked.data.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    install(folder)
    file = folder / "runs.json"
    runs = json.loads(file.read_text()) if file.exists() else {}
    for task in asked.tasks:  # in a process of its own: the peak memory of a run counts from that of its parent
        writing = get_context("spawn").Process(target=write_data, args=(task, data_dir, folder / f"{task}.npz"))
        writing.start()
        writing.join()
    for seed, task, peer in itertools.product(range(asked.rounds), asked.tasks, asked.peers):
        key = f"{task}/{peer}/{seed}/{asked.epochs}"
        if key not in runs:
            try:
                runs[key] = run(peer, task, asked.epochs, seed, folder, data_dir)
            except RuntimeError as error:  # the others go on
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
