"""Time of a training step, compared with a loop written by hand: `python benchmarks/loop.py [CASE ...]`.

The hand-written loop does the same work as the project, on the same tensors in memory: it shuffles, cuts and normalises
the batches, computes forward and backward passes and optimizer steps, counts loss and accuracy, and writes them to
TensorBoard at the project's default interval. In the case `iris` both also validate. The loop is measured twice: with
torch's Adam at its defaults, as in a tutorial, and with `fused=True`, which the project uses as well.

All variants take turns in one process, `--rounds` times, and the table shows medians. With one thread, CPU time is
measured, which other programs on the machine disturb less. Images are random, so no data is needed. Five rounds take
about two minutes. Each case goes to benchmarks/results/loop/<case>.json.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time

import torch
from lightning.pytorch import Callback
from record import record
from torch.nn import functional as F
from torch.utils.tensorboard import SummaryWriter

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.training.library_defaults import keep_freed_memory
from proj.training.run import train

# case: (settings, epochs, batches per epoch). None stands for all batches; validation is then measured too.
CASES = {
    "mlp": ("preset=mnist_dnn", 2, 800),
    "cnn": (
        "dataset=cifar10 model=cnn dataset.flip=false dataset.shift=0 optimizer=adam scheduler=none "
        "trainer.limit_val_batches=1 trainer.precision=32-true",  # float32, as in the hand-written loop
        *(1, 12),
    ),
    "iris": ("dataset=iris model=iris optimizer=adam scheduler=none trainer.max_epochs=100", 100, None),
}


TITLES = {
    "mlp": "MNIST / MLP 784-128-10, batch 64",
    "cnn": "CIFAR-10 / CNN, batch 128",
    "iris": "Iris, 100 epochs with validation",
}


def now() -> float:
    """CPU seconds if one thread computes, since other programs disturb them less; otherwise wall-clock seconds."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


class RandomImages:
    """Random images in the shape of a dataset. The time of a step does not depend on what the images show."""

    classes = [str(i) for i in range(10)]

    def __init__(self, root: str, train: bool) -> None:
        draw = torch.Generator().manual_seed(int(train))
        shape = (60_000 if train else 1000, *self.shape)
        self.data = torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)
        self.targets = torch.randint(0, 10, shape[:1], generator=draw)


class MNIST(RandomImages):
    shape = (28, 28)


class CIFAR10(RandomImages):
    shape = (32, 32, 3)


class Clock(Callback):
    """Measures the seconds of the training steps of each epoch (`steps`), and of the whole training (`whole`)."""

    def on_train_start(self, trainer, model) -> None:
        Clock.steps, Clock.start = [], now()

    def on_train_epoch_start(self, trainer, model) -> None:
        self.epoch = now()

    def on_validation_start(self, trainer, model) -> None:
        Clock.steps.append(now() - self.epoch)

    def on_train_end(self, trainer, model) -> None:
        Clock.whole = now() - Clock.start


def settings_of(case: str, folder: str, bar: bool) -> list[str]:
    """The settings of a case. bar: with the progress bar."""
    settings, epochs, batches = CASES[case]
    words = [*settings.split(), f"hydra.run.dir={folder}", "test=false", f"trainer.max_epochs={epochs}"]
    words.append("+callbacks.clock._target_=__main__.Clock")
    if case != "iris":
        words.append(f"dataset.source._target_=__main__.{'MNIST' if case == 'mlp' else 'CIFAR10'}")
    if batches:
        words.append(f"trainer.limit_train_batches={batches}")
    return words if bar else [*words, "~callbacks.progress"]


def project(case: str, bar: bool) -> float:
    """Seconds of a step of this project, or of the whole training if the case has no limit of batches."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        train(configure(*settings_of(case, f"{folder}/run", bar)))
    return statistics.median(Clock.steps) / CASES[case][2] if CASES[case][2] else Clock.whole


def by_hand(case: str, fused: bool) -> float:
    """The same seconds for the hand-written loop. fused: with torch's fused Adam."""
    _, epochs, batches = CASES[case]
    cfg = configure(*settings_of(case, "unused", False))
    data = build(cfg.dataset)
    data.prepare_data()
    data.setup()
    network = build(cfg.model, input_shape=data.input_shape, num_classes=data.num_classes).network
    images, labels = data.splits["train"]
    is_image = images.ndim == 4
    if is_image:
        mean, std = torch.tensor(data.mean), torch.tensor(data.std)
        factor, offset = 1 / (255 * std), -mean / std
    optimizer = torch.optim.Adam(network.parameters(), lr=cfg.optimizer.lr, **({"fused": True} if fused else {}))
    smoothing = cfg.model.loss.label_smoothing
    size, times = data.batch_size, []
    interval = max(1, min(50, (batches or -(-len(labels) // size)) * epochs // 100))  # the project's default
    with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
        step, start = 0, now()
        for _ in range(epochs):
            epoch = now()
            loss_sum, hits, seen = torch.zeros(()), torch.zeros((), dtype=torch.long), 0
            order = torch.randperm(len(labels))
            network.train()
            for part in order.split(size)[:batches]:
                x, y = images[part], labels[part]
                if is_image:
                    x = (x.float() * factor + offset).permute(0, 3, 1, 2)
                logits = network(x)
                loss = F.cross_entropy(logits, y, label_smoothing=smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                loss_sum += loss.detach() * len(y)
                hits += (logits.argmax(1) == y).sum()
                seen += len(y)
                step += 1
                if step % interval == 0:
                    writer.add_scalar("train/loss", loss_sum.item() / seen, step)
                    writer.add_scalar("train/acc", hits.item() / seen, step)
                    loss_sum.zero_(), hits.zero_()
                    seen = 0
            times.append(now() - epoch)
            if not batches:
                network.eval()
                with torch.no_grad():
                    x, y = data.splits["val"]
                    logits = network(x)
                    writer.add_scalar("val/loss", F.cross_entropy(logits, y).item(), step)
                    writer.add_scalar("val/acc", (logits.argmax(1) == y).float().mean().item(), step)
        return statistics.median(times) / batches if batches else now() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="mlp, cnn, iris; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed_memory()  # the hand-written loop should profit from it, too
    rows = {
        "by hand": lambda case: by_hand(case, fused=False),
        "by hand, fused Adam": lambda case: by_hand(case, fused=True),
        "proj, no progress bar": lambda case: project(case, bar=False),
        "proj": lambda case: project(case, bar=True),
    }
    for case in chosen.cases or CASES:
        times: dict[str, list[float]] = {row: [] for row in rows}
        for _ in range(chosen.rounds):
            for row, measure in rows.items():
                times[row].append(measure(case))
        base, fused = (statistics.median(times[row]) for row in ("by hand", "by hand, fused Adam"))
        unit, scale = ("µs a step", 1e6) if CASES[case][2] else ("ms in all", 1e3)
        found = []
        for row, values in times.items():
            middle = statistics.median(values)
            found.append({"loop": row, "time": scale * middle, "ratio": middle / base, "to_fused": middle / fused})
        template = "| {loop} | {time:,.0f} | {ratio:.2f} | {to_fused:.2f} |"
        header = f"| {TITLES[case]} | {unit} | ratio | to fused |"
        record(f"loop/{case}", header, template, found, rounds=chosen.rounds)


if __name__ == "__main__":
    main()
