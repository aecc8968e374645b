"""Whether the networks of all folds together classify better than one: `python benchmarks/together.py [--draws 3]`.

From the training images of CIFAR-10 and Fashion-MNIST, photos of some classes are drawn and written as folders, others
for each draw. `model=cnn` learns them once with the usual split into training, validation and test, and once in each of
five folds. All six networks are measured on 400 further training images, alone; the five of the folds also together, as
`python -m proj.predict ckpt='…/*/best.ckpt'` does. The official test images are not used. Takes about ten minutes, and
writes benchmarks/results/photos/together.json.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
from pathlib import Path

import numpy as np
from photos import SETS, SOURCES
from PIL import Image
from record import record

from proj.config.compose import configure
from proj.training.run import train
from proj.use.prediction import predict

FOLDS, TEST = 5, 400
# (The set, the classes, the photos of each). CIFAR-10: cat and ship, dog and horse, automobile and truck.
CASES = (("cifar10", ((3, 8), (5, 7), (1, 9)), 20), ("fashion_mnist", (tuple(range(10)),), 10))
HEADER = "| photos (draws) | usual split | one fold | all folds together | difference, smallest | largest |"
TEMPLATE = "| {what} ({draws}) | {split:.1%} | {fold:.1%} | {together:.1%} | {least:+.1%} | {most:+.1%} |"


def write_photos(folder: Path, name: str, classes: tuple[int, ...], count: int, seed: int, data_dir: str) -> None:
    """Write `count` photos of each class into folder/known/<class>/, and TEST in all into folder/new/."""
    source = SOURCES[name](data_dir, train=True)
    images, targets = np.asarray(source.data), np.asarray(source.targets)
    order = np.random.default_rng(seed).permutation(len(targets))
    for label in classes:
        title = source.classes[label].replace("/", " or ")
        for number, place in enumerate(order[targets[order] == label][: count + TEST // len(classes)]):
            home = folder / "known" / title if number < count else folder / "new"
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[place]).save(home / f"{title}={place}.png")


def measure(folder: Path, seed: int) -> dict[str, float]:
    """The accuracies on the new photos: of the network with the usual split, of the folds' on average, and together."""
    words = ["dataset=image_folder", f"data_dir={folder}/known", f"dataset.cache_dir={folder}", "model=cnn"]
    words += [f"seed={seed}", "~callbacks.progress", "~callbacks.dashboard"]
    runs = {"split": []} | {f"fold{k}": [f"dataset.folds={FOLDS}", f"dataset.fold={k}"] for k in range(FOLDS)}
    for name, own in runs.items():
        train(configure(*words, *own, f"hydra.run.dir={folder}/{name}"))
    split, *folds = [folder / name / "best.ckpt" for name in runs]

    def accuracy(*checkpoints: Path) -> float:
        rows = predict(checkpoints, str(folder / "new"))
        return statistics.mean(Path(row["input"]).name.startswith(f"{row['class']}=") for row in rows)

    alone = statistics.mean(map(accuracy, folds))
    return {"split": accuracy(split), "fold": alone, "together": accuracy(*folds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--data_dir", default="data")
    asked = parser.parse_args()
    rows = []
    for name, groups, count in CASES:
        found = []
        for classes in groups:
            for seed in range(asked.draws):
                with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                    write_photos(Path(folder), name, classes, count, seed, asked.data_dir)
                    found.append(measure(Path(folder), seed))
                print(name, classes, seed, found[-1], flush=True)
        gains = [one["together"] - one["split"] for one in found]
        what = f"{count} of each of {'two' if len(groups[0]) == 2 else 'ten'} classes of {SETS[name]}"
        means = {key: statistics.mean(one[key] for one in found) for key in found[0]}
        rows.append({"what": what, "draws": len(found), **means, "least": min(gains), "most": max(gains)})
    record("photos/together", HEADER, TEMPLATE, rows)


if __name__ == "__main__":
    main()
