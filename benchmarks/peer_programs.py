"""The same network in several libraries, each trained as the documentation of its library shows.

benchmarks/peers.py runs these programs, each in a process of its own. The command of one is
`python benchmarks/peer_programs.py PEER TASK EPOCHS SEED DATA RESULT`. DATA is an .npz file with the three parts of the
dataset: uint8 images (N, H, W, C) and their labels. RESULT is a file to which the program appends one line per epoch
(the time and the CPU seconds so far), and at the end the test accuracy and the number of trained parameters.

Every program evaluates on the validation part after each epoch. All use batches of 64, also for evaluation. Each
function imports its library itself, so that a process imports only what its library needs.
"""

import json
import os
import sys
import time
from typing import NamedTuple

BATCH, RATE = 64, 1e-3


class Job(NamedTuple):
    task: str
    epochs: int
    seed: int
    data: str
    result: str


def mark(result: str, **facts: float) -> None:
    """Append a line to the file `result`: `facts`, or if there are none, the time and the CPU seconds so far."""
    with open(result, "a") as file:
        print(json.dumps(facts or [time.time(), time.process_time()]), file=file)


def arrays(job: Job) -> dict:
    """The arrays x_train, y_train, x_val … of the data file: uint8 images (N, H, W, C) and int64 labels (N,)."""
    import numpy as np

    with np.load(job.data) as file:
        return {name: file[name] for name in file}


def tensors(job: Job) -> dict:
    """The same as tensors: float32 images (N, C, H, W) in 0..1, and int64 labels."""
    import torch

    found = {name: torch.from_numpy(array) for name, array in arrays(job).items()}
    images = {name: x.permute(0, 3, 1, 2).contiguous() for name, x in found.items() if x.ndim == 4}
    return found | {name: x.float().div_(255) for name, x in images.items()}


def network(task: str):
    """An MLP 784-128-10 for mnist, and two convolutions and a linear layer for cifar10.

    The second one resembles the first image example of Keras. All libraries can express it.
    """
    from torch import nn

    if task == "mnist":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 8 * 8, 10)),
    )


def count(parameters) -> int:
    return sum(parameter.numel() for parameter in parameters)


def by_hand(job: Job, **settings: bool) -> None:
    """A loop that cuts its batches from tensors in memory. settings: further arguments of Adam."""
    import torch
    from torch.nn import functional as F

    torch.manual_seed(job.seed)
    data, model = tensors(job), network(job.task)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, **settings)

    @torch.no_grad()
    def accuracy(part: str) -> float:
        model.eval()
        batches = zip(data[f"x_{part}"].split(BATCH), data[f"y_{part}"].split(BATCH), strict=True)
        return sum((model(x).argmax(1) == y).sum() for x, y in batches).item() / len(data[f"y_{part}"])

    for _ in range(job.epochs):
        model.train()
        for index in torch.randperm(len(data["y_train"])).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(data["x_train"][index]), data["y_train"][index]).backward()
            optimizer.step()
        accuracy("val")
        mark(job.result)
    mark(job.result, accuracy=accuracy("test"), parameters=count(model.parameters()))


def by_hand_fused(job: Job) -> None:
    by_hand(job, fused=True)


def picture_loaders(job: Job) -> dict:
    """A DataLoader for each part, as over the datasets of torchvision: it converts one PIL image after another."""
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import ToTensor

    class Pictures(Dataset):
        def __init__(self, x, y) -> None:
            self.data, self.targets, self.transform = x.squeeze(3) if x.shape[3] == 1 else x, y, ToTensor()

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int):
            return self.transform(Image.fromarray(self.data[index])), int(self.targets[index])

    data = arrays(job)
    sets = {part: Pictures(data[f"x_{part}"], data[f"y_{part}"]) for part in ("train", "val", "test")}
    return {part: DataLoader(found, batch_size=BATCH, shuffle=part == "train") for part, found in sets.items()}


def tensor_loaders(job: Job) -> dict:
    """A DataLoader over a TensorDataset for each part."""
    from torch.utils.data import DataLoader, TensorDataset

    data = tensors(job)
    sets = {part: TensorDataset(data[f"x_{part}"], data[f"y_{part}"]) for part in ("train", "val", "test")}
    return {part: DataLoader(found, batch_size=BATCH, shuffle=part == "train") for part, found in sets.items()}


def tutorial(job: Job) -> None:
    """The loop of most tutorials: a DataLoader of PIL images, and `.item()` in every step."""
    import torch
    from torch import nn

    torch.manual_seed(job.seed)
    loaders, model, criterion = picture_loaders(job), network(job.task), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def accuracy(part: str) -> float:
        model.eval()
        right = total = 0
        with torch.no_grad():
            for x, y in loaders[part]:
                right += (model(x).argmax(1) == y).sum().item()
                total += len(y)
        return right / total

    for _ in range(job.epochs):
        model.train()
        running = 0.0
        for x, y in loaders["train"]:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        accuracy("val")
        mark(job.result)
    mark(job.result, accuracy=accuracy("test"), parameters=count(model.parameters()))


def lightning(job: Job, loaders_of=picture_loaders) -> None:
    """A LightningModule, and the Trainer with its default logger and checkpoints, but without a progress bar."""
    import lightning as L
    import torch
    from torch.nn import functional as F

    class Model(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network(job.task)

        def training_step(self, batch, batch_idx):
            x, y = batch
            loss = F.cross_entropy(self.model(x), y)
            self.log("train_loss", loss)
            return loss

        def evaluate(self, batch, part: str) -> None:
            x, y = batch
            logits = self.model(x)
            self.log(f"{part}_loss", F.cross_entropy(logits, y))
            self.log(f"{part}_acc", (logits.argmax(1) == y).float().mean())

        def validation_step(self, batch, batch_idx) -> None:
            self.evaluate(batch, "val")

        def test_step(self, batch, batch_idx) -> None:
            self.evaluate(batch, "test")

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=RATE)

    class Clock(L.Callback):
        def on_train_epoch_end(self, trainer, model) -> None:
            mark(job.result)

    L.seed_everything(job.seed)
    loaders, model = loaders_of(job), Model()
    trainer = L.Trainer(max_epochs=job.epochs, callbacks=[Clock()], enable_progress_bar=False)
    trainer.fit(model, loaders["train"], loaders["val"])
    (found,) = trainer.test(model, loaders["test"])
    mark(job.result, accuracy=found["test_acc"], parameters=count(model.parameters()))


def lightning_tensors(job: Job) -> None:
    lightning(job, tensor_loaders)


def skorch(job: Job) -> None:
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    class Clock(Callback):
        def on_epoch_end(self, net, **kwargs) -> None:
            mark(job.result)

    torch.manual_seed(job.seed)
    data = {name: value.numpy() for name, value in tensors(job).items()}
    net = NeuralNetClassifier(
        network(job.task),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        batch_size=BATCH,
        max_epochs=job.epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(data["x_val"], data["y_val"])),
        callbacks=[Clock()],
    )
    net.fit(data["x_train"], data["y_train"])
    accuracy = net.score(data["x_test"], data["y_test"])
    mark(job.result, accuracy=accuracy, parameters=count(net.module_.parameters()))


def fastai(job: Job) -> None:
    from functools import partial

    import torch
    from fastai.basics import Callback, CrossEntropyLossFlat, DataLoaders, Learner, OptimWrapper, accuracy, set_seed
    from torch.utils.data import TensorDataset

    class Clock(Callback):
        order = 100  # so that it runs after fastai's recorder

        def after_epoch(self) -> None:
            mark(job.result)

    set_seed(job.seed)
    data = tensors(job)
    sets = {part: TensorDataset(data[f"x_{part}"], data[f"y_{part}"]) for part in ("train", "val", "test")}
    loaders = DataLoaders.from_dsets(sets["train"], sets["val"], bs=BATCH, num_workers=0)
    adam = partial(OptimWrapper, opt=torch.optim.Adam)
    learner = Learner(loaders, network(job.task), CrossEntropyLossFlat(), adam, metrics=accuracy, cbs=[Clock()])
    learner.fit(job.epochs, RATE)  # without a progress bar, since fastai.callback.progress is not imported
    found = learner.validate(dl=loaders.valid.new(sets["test"]))[1]
    mark(job.result, accuracy=float(found), parameters=count(learner.model.parameters()))


def keras(job: Job) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None) -> None:
            mark(job.result)

    keras.utils.set_random_seed(job.seed)
    data = {name: value.astype("float32") / 255 if value.ndim == 4 else value for name, value in arrays(job).items()}
    layers = keras.layers
    body = [layers.Dense(128, activation="relu")]
    if job.task == "cifar10":
        widths = (32, 64)
        pairs = [(layers.Conv2D(w, 3, padding="same", activation="relu"), layers.MaxPooling2D()) for w in widths]
        body = [layer for pair in pairs for layer in pair]
    flat = layers.Flatten()
    body = [flat, *body] if job.task == "mnist" else [*body, flat]
    model = keras.Sequential([keras.Input(data["x_train"].shape[1:]), *body, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=loss, metrics=["accuracy"])
    model.fit(
        *(data["x_train"], data["y_train"]),
        batch_size=BATCH,
        epochs=job.epochs,
        validation_data=(data["x_val"], data["y_val"]),
        verbose=2,  # one line per epoch instead of a progress bar
        callbacks=[Clock()],
    )
    accuracy = model.evaluate(data["x_test"], data["y_test"], batch_size=BATCH, verbose=0)[1]
    mark(job.result, accuracy=accuracy, parameters=model.count_params())


def ludwig(job: Job) -> None:
    import logging

    import pandas as pd
    from ludwig.api import LudwigModel
    from ludwig.callbacks import Callback

    class Clock(Callback):
        def on_epoch_end(self, trainer, progress_tracker, save_path) -> None:
            mark(job.result)

    convolutions = [{"out_channels": width, "pool_kernel_size": 2} for width in (32, 64)]
    encoder = {"type": "stacked_cnn", "num_conv_layers": 0, "fc_layers": [{"output_size": 128}]}
    if job.task == "cifar10":
        encoder = {"type": "stacked_cnn", "conv_layers": convolutions, "padding": "same", "fc_layers": []}
    config = {
        "input_features": [{"name": "image", "type": "image", "encoder": encoder}],
        "output_features": [{"name": "label", "type": "category"}],
        "trainer": {
            "epochs": job.epochs,
            "batch_size": BATCH,
            "learning_rate": RATE,
            "optimizer": {"type": "adam"},
            "early_stop": -1,
            "gradient_clipping": {"clipglobalnorm": None},
        },
    }
    data = arrays(job)
    tables = {
        part: pd.DataFrame({"image": list(data[f"x_{part}"]), "label": data[f"y_{part}"].astype(str)})
        for part in ("train", "val", "test")
    }
    model = LudwigModel(config, logging_level=logging.WARNING, callbacks=[Clock()])
    model.train(training_set=tables["train"], validation_set=tables["val"], random_seed=job.seed)
    statistics = model.evaluate(tables["test"])[0]
    mark(job.result, accuracy=statistics["label"]["accuracy"], parameters=count(model.model.parameters()))


PROGRAMS = {
    "by hand": by_hand,
    "by hand, fused Adam": by_hand_fused,
    "the tutorials' way": tutorial,
    "Lightning, pictures": lightning,
    "Lightning, tensors": lightning_tensors,
    "skorch": skorch,
    "fastai": fastai,
    "Keras on torch": keras,
    "Ludwig": ludwig,
}

if __name__ == "__main__":
    peer, task, epochs, seed, data, result = sys.argv[1:]
    PROGRAMS[peer](Job(task, int(epochs), int(seed), data, result))
