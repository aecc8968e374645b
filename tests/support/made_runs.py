"""Writes folders such as runs leave, without a training."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

STEPS = 10  # an epoch
TRAINER = {f"limit_{part}_batches": 1.0 for part in ("train", "val", "test")}
TRAINER |= dict.fromkeys(("accelerator", "devices"), "auto")
CHOICES = ("dataset", "model", "optimizer", "scheduler", "preset")


def config(dataset="digits", model="mlp", optimizer="adam", lr=0.01, seed=0, **settings) -> dict:
    """The content of a run's config.yaml. settings: further settings of the model."""
    return {
        "seed": seed,
        "data_dir": "data",
        "monitor": "val/acc",
        "mode": "max",
        "output_dir": f"somewhere/{lr}_{seed}",
        "choices": dict(zip(CHOICES, (dataset, model, optimizer, "onecycle", None), strict=True)),
        "trainer": {"max_epochs": 3, "precision": "32-true", "gradient_clip_val": None, **TRAINER},
        "optimizer": {"_target_": f"torch.optim.{optimizer}", "lr": lr, "betas": [0.9, 0.999]},
        "scheduler": {"max_lr": lr, "total_steps": "steps"},
        "callbacks": {"best": {"dirpath": f"somewhere/{lr}_{seed}", "monitor": "val/acc"}},
        "model": {"activation": "ReLU", "widths": [64] if model == "mlp" else [16, 32], **settings},
        "dataset": {"batch_size": 64, "seed": seed, "data_dir": f"data/{seed}"},
    }


def change(file: Path, values: Mapping) -> None:
    """Set values in a run's config.yaml or metrics.json, by keys such as optimizer.lr."""
    is_json, text = file.suffix == ".json", file.read_text()
    content = json.loads(text) if is_json else yaml.safe_load(text)
    for key, value in values.items():
        *above, name = key.split(".")
        node = content
        for part in above:
            node = node[part]
        node[name] = value
    file.write_text(json.dumps(content) + "\n" if is_json else yaml.safe_dump(content, sort_keys=False))


def write_events(file: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Write a TensorBoard file of scalars. curves: {tag: [(step, value), …]}."""
    with open(file, "wb") as stream:
        writer = RecordWriter(stream)
        writer.write(Event(file_version="brain.Event:2").SerializeToString())
        for step, tag, value in sorted((step, tag, value) for tag, points in curves.items() for step, value in points):
            event = Event(step=step, wall_time=1.0)
            event.summary.value.add(tag=tag, simple_value=value)
            writer.write(event.SerializeToString())


def write_run(
    folder: Path,
    accuracy=0.9,
    epochs=3,
    seconds=12.5,
    finished=True,
    points=3,
    shape=float,
    changed: Mapping = {},
    record: dict | None = None,
    **settings,
) -> Path:
    """Write the folder of a run. accuracy: that of the last epoch. shape: share of the run in 0..1 -> share of the
    accuracy in 0..1. points: how many values of train/loss there are in an epoch. changed: see `change`, for its
    configuration. record: what run.json has beside the steps of an epoch; None for a run that has no such file."""
    folder.mkdir(parents=True)
    made = config(**settings)
    (folder / "config.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    ends = [(epoch * STEPS, shape(epoch / epochs)) for epoch in range(1, epochs + 1)]
    curves = {
        "val/acc": [(step, accuracy * share) for step, share in ends],
        "val/loss": [(step, 2 - accuracy * share) for step, share in ends],
        "train/examples_per_second": [(step, 1e4) for step, _ in ends],
    }
    windows = range(1, epochs * points + 1)
    curves["train/loss"] = [(k * STEPS // points, 2 - accuracy * shape(k / points / epochs)) for k in windows]
    write_events(folder / "events.out.tfevents.1.host.1.0", curves)
    if changed:
        change(folder / "config.yaml", changed)
    if record is not None:
        (folder / "run.json").write_text(json.dumps({"steps_per_epoch": STEPS} | record) + "\n")
    for name in ("last.ckpt", "best.ckpt"):
        (folder / name).touch()
    if finished:
        metrics = made["choices"] | {"seed": made["seed"], "val/acc": accuracy, "epochs": epochs, "parameters": 1234}
        metrics |= {"seconds": seconds, "test/acc": accuracy - 0.01, "test/acc_per_class": {"one": 0.5, "two": 1.0}}
        metrics["checkpoint"] = f"/elsewhere/{folder.name}/best.ckpt"
        (folder / "metrics.json").write_text(json.dumps(metrics) + "\n")
    return folder
