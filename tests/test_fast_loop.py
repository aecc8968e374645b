"""The lean loop gives what Lightning's own gives."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.utils import get_total_norm

from proj import fast_loop
from proj.checkpoint import load_checkpoint
from proj.train import train

SETTINGS = ("dataset=digits", "model=mlp", "model.dropout=0.2", "trainer.max_epochs=2", "trainer.limit_train_batches=5")


class Recorder(Callback):
    """What every callback sees, in order."""

    calls: list = []

    def on_train_batch_start(self, trainer, model, batch, batch_idx) -> None:
        self.record("start", trainer, model, batch_idx, len(batch[1]))

    def on_before_optimizer_step(self, trainer, model, optimizer) -> None:
        self.record("step", trainer, model, float(get_total_norm([p.grad for p in model.network.parameters()])))
        model.log("norm", 1.0)

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx) -> None:
        self.record("end", trainer, model, batch_idx, float(outputs["loss"]))
        model.log("logged", float(batch_idx), on_step=True, on_epoch=True)

    def on_validation_start(self, trainer, model) -> None:
        self.record("validation", trainer, model)

    def on_train_epoch_end(self, trainer, model) -> None:
        self.record("epoch", trainer, model, float(trainer.callback_metrics["logged_epoch"]))

    def record(self, event: str, trainer: Trainer, model, *values) -> None:
        loop = trainer.fit_loop.epoch_loop
        counts = (trainer.global_step, trainer.current_epoch, loop.batch_progress.state_dict(), trainer.is_last_batch)
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self.calls.append((event, model.training, lr, str(counts), *values))


def curves(folder: Path) -> dict[str, list]:
    events = EventAccumulator(str(folder)).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag != "train/examples_per_second"]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


@pytest.fixture
def both(configure, tmp_path, monkeypatch):
    """both(*settings) -> (folder, calls) of the same run in the fast loop and in Lightning's own."""
    used = []
    monkeypatch.setattr(fast_loop.FastEpochLoop, "fast_batch", counted(fast_loop.FastEpochLoop.fast_batch, used))

    def both(*settings: str):
        for fast in ("true", "false"):
            Recorder.calls, folder = [], tmp_path / fast
            used.clear()
            recorder = f"+callbacks.recorder._target_={__name__}.Recorder"
            train(configure(*SETTINGS, f"fast_loop={fast}", recorder, *settings, folder=folder))
            yield folder, Recorder.calls, len(used)

    return both


def counted(function, used: list):
    def wrapper(*args):
        used.append(1)
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    "setting", ("scheduler=onecycle", "scheduler=none", "trainer.precision=bf16-mixed", "on_nan=skip")
)
def test_the_fast_loop_gives_lightnings_bits_calls_and_curves(both, setting):
    (fast, fast_calls, fast_steps), (own, own_calls, own_steps) = both(setting)
    assert (fast_steps, own_steps) == (10, 0)
    assert fast_calls == own_calls
    assert curves(fast) == curves(own)
    left, right = (load_checkpoint(folder / "last.ckpt") for folder in (fast, own))
    assert left["loops"]["fit_loop"] == right["loops"]["fit_loop"]
    assert left["global_step"] == right["global_step"] == 10
    assert all(torch.equal(left["state_dict"][name], value) for name, value in right["state_dict"].items())
    assert str(left["optimizer_states"]) == str(right["optimizer_states"])


@pytest.mark.parametrize(
    "setting",
    (
        "trainer.gradient_clip_val=0.1",
        "trainer.accumulate_grad_batches=2",
        "+trainer.val_check_interval=3",
        "+trainer.profiler=simple",
        f"+callbacks.hook._target_={__name__}.Hook",
    ),
)
def test_what_is_not_plain_goes_lightnings_own_way(both, setting):
    (fast, fast_calls, fast_steps), (_, own_calls, _) = both(setting)
    assert fast_steps == (10 if "val_check" in setting else 0)
    assert fast_calls == own_calls and (fast / "metrics.json").is_file()


class Hook(Callback):
    def on_after_backward(self, trainer, model) -> None:
        assert any(parameter.grad is not None for parameter in model.parameters())
