"""Time of whole epochs, compared with the usual loop of tutorials: `python benchmarks/tutorial.py [PRESET ...]`.

The loop of tutorials has a DataLoader over a dataset that converts each image to a PIL image, a tensor and a normalised
tensor; it calls `loss.item()` in every step, and evaluates in the same way after the epoch. Network, batch size,
optimizer and number of images are those of the preset. Both sides take turns, `--rounds` times. The table shows the
median times of the second epoch with its evaluation, since the first epoch warms up. With one thread, CPU time is
measured. Images are random, so no data is needed. All presets take two to three minutes. Each goes to
benchmarks/results/tutorial/<preset>.json.
"""

import argparse
import contextlib
import io
import statistics
import tempfile

import loop
import torch
from record import record
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.training.library_defaults import keep_freed_memory
from proj.training.run import train

# preset: batches per epoch, None for all
PRESETS = {"mnist_dnn": None, "fashion_mlp": None, "windows_ml_cifar10": 1000}
MEAN = {"mnist_dnn": 0.0, "fashion_mlp": 0.0, "windows_ml_cifar10": 0.5}
STD = {"mnist_dnn": 1.0, "fashion_mlp": 1.0, "windows_ml_cifar10": 0.5}


class PILImages(Dataset):
    """Images that become PIL images and then normalised tensors one by one, as those of torchvision's datasets."""

    def __init__(self, source, mean: float, std: float) -> None:
        self.source = source
        channels = 3 if source.data.ndim == 4 else 1
        normalize = transforms.Normalize([mean] * channels, [std] * channels)
        self.transform = transforms.Compose([transforms.ToTensor(), normalize])
        self.to_image = transforms.ToPILImage()

    def __len__(self) -> int:
        return len(self.source.targets)

    def __getitem__(self, index: int):
        image = self.source.data[index]
        image = self.to_image(image.permute(2, 0, 1) if image.ndim == 3 else image)
        return self.transform(image), int(self.source.targets[index])


def settings_of(preset: str, folder: str) -> list[str]:
    source = f"dataset.source._target_=__main__.{'CIFAR10' if preset.startswith('windows') else 'MNIST'}"
    words = [f"preset={preset}", source, f"hydra.run.dir={folder}", "trainer.max_epochs=2", "test=false"]
    if PRESETS[preset]:
        words += [f"trainer.limit_train_batches={PRESETS[preset]}"]
    return [*words, "+callbacks.clock._target_=__main__.Clock"]


class Clock(loop.Clock):
    """Measures the seconds of the last epoch with its validation, too (`last`)."""

    def on_train_epoch_end(self, trainer, model) -> None:
        Clock.last = loop.now() - self.epoch


def project(preset: str) -> float:
    """Seconds of the second epoch with its validation in this project."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        train(configure(*settings_of(preset, f"{folder}/run")))
    return Clock.last


def tutorial(preset: str) -> float:
    """The same seconds for the loop of tutorials."""
    cfg = configure(*settings_of(preset, "unused"))
    source = (CIFAR10 if preset.startswith("windows") else MNIST)(root="", train=True)
    images = PILImages(source, MEAN[preset], STD[preset])
    parts = Subset(images, range(54_000)), Subset(images, range(54_000, 60_000))
    shape = images[0][0].shape
    model = build(cfg.model, input_shape=tuple(shape), num_classes=10)
    network = model.network.to(memory_format=torch.contiguous_format)
    settings = {key: value for key, value in cfg.optimizer.items() if not key.startswith("_") and key != "fused"}
    name = cfg.optimizer["_target_"].rsplit(".", 1)[1]
    optimizer = getattr(torch.optim, name)(network.parameters(), **settings)
    training = DataLoader(parts[0], batch_size=cfg.dataset.batch_size, shuffle=True)
    validation = DataLoader(parts[1], batch_size=cfg.dataset.batch_size)
    for _ in range(2):
        start, running = loop.now(), 0.0
        network.train()
        for batch, (x, y) in enumerate(training):
            if batch == PRESETS[preset]:
                break
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        network.eval()
        hits = 0
        with torch.no_grad():
            for x, y in validation:
                hits += (network(x).argmax(1) == y).sum().item()
        last = loop.now() - start
    return last


MNIST, CIFAR10 = loop.MNIST, loop.CIFAR10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", metavar="PRESET", help=f"{', '.join(PRESETS)}; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed_memory()
    header, template = (
        "| epoch with evaluation | tutorial, s | proj, s | faster |",
        "| {what} | {slow:.2f} | {fast:.2f} |",
    )
    for preset in chosen.presets or PRESETS:
        pairs = [(tutorial(preset), project(preset)) for _ in range(chosen.rounds)]
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        what = f"`{preset}`" + (f", {PRESETS[preset]} batches" if PRESETS[preset] else "")
        row = {"what": what, "slow": slow, "fast": fast, "faster": slow / fast, "rounds": chosen.rounds}
        record(f"tutorial/{preset}", header, f"{template} {{faster:.1f}}× |", [row])


if __name__ == "__main__":
    main()
