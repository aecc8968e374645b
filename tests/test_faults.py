"""What breaks a run from outside, or within it, ends in one sentence, and nothing is lost."""

import errno
import json
import math
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from shlex import quote
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.classes import Slow, slow
from support.photos import write_photos
from support.runs import at_batch, break_off, in_every_step, rewritten

from proj.checkpoint.file import load_checkpoint
from proj.config.explain import explain
from proj.errors import UserError, out_of_memory
from proj.models import Classifier
from proj.models.backbones import read_weights
from proj.system.locks import locked
from proj.system.platform import STOP_SIGNALS
from proj.training.build import build_data_and_model
from proj.training.robustness.signals import StopSignals, end_by
from proj.training.run import train

TINY = ("trainer.max_epochs=2", "scheduler=none", "save_every=0")


@pytest.fixture
def small_disk(tmp_path):
    """small_disk("350k") -> a folder on a file system of that size, in memory."""
    mounted = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("only root may mount a small file system")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with open(folder / "ballast", "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass


def test_a_folder_is_in_use_until_its_run_has_ended_or_its_process_is_dead(configure, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        with locked(tmp_path / "run"):
            os.write(told, b".")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(UserError, match=rf"run is in use by process {child} on \S+\. Wait"):
        train(configure(*TINY))
    assert [file.name for file in (tmp_path / "run").iterdir()] == [".lock"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    break_off(monkeypatch, configure(*TINY), 0, 3)
    assert train(configure(*TINY))["epochs"] == 2


def test_a_loss_that_turns_nan_stops_the_run_before_a_checkpoint_is_overwritten(configure, tmp_path, monkeypatch):
    at_batch(monkeypatch, 1, 4, lambda loss: loss * math.nan)
    sentence = (
        rf"the loss turned NaN or infinite in step 16 \(epoch 2\), at a learning rate of 0\.03\. The last good "
        rf"checkpoint is {tmp_path}/run/last\.ckpt\. .*resume={quote(f'{tmp_path}/run')} on_nan=skip$"
    )
    with pytest.raises(UserError, match=sentence):
        train(configure(*TINY, "trainer.log_every_n_steps=3"))
    last = load_checkpoint(tmp_path / "run" / "last.ckpt")
    assert last["epoch"] == 1 and last["global_step"] == 15
    for checkpoint in (last, load_checkpoint(tmp_path / "run" / "best.ckpt")):
        assert all(weight.isfinite().all() for weight in checkpoint["state_dict"].values())


def test_the_step_that_is_named_counts_batches_that_are_accumulated_once(configure, monkeypatch):
    at_batch(monkeypatch, 0, 3, lambda loss: loss * math.nan)  # of the second step; two more come before the look
    words = ("trainer.accumulate_grad_batches=2", "trainer.log_every_n_steps=3", "scheduler=none")
    with pytest.raises(UserError, match=r"in step 2 \(epoch 1\)"):
        train(configure(*words))


def test_a_loss_that_turns_infinite_is_noticed_within_the_epoch_without_checkpoints(configure):
    words = ("optimizer=sgd", "optimizer.lr=1e30", "scheduler=none", "save_every=1000", "trainer.max_epochs=1")
    with pytest.raises(UserError, match=r"in step \d \(epoch 1\), at a learning rate of 1e\+30\. There was no checkp"):
        train(configure(*words))


@pytest.mark.parametrize("words", ([], ["on_nan=skip"], ["callbacks=[default,early_stopping]"]))
def test_weights_that_turn_nan_after_a_later_epochs_last_loss_stop_the_run_there(configure, monkeypatch, words):
    """The accuracy, which is monitored, is no NaN, and no better than that of the first epoch."""
    real = Classifier.on_train_batch_end

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.trainer.current_epoch == 1 and batch_idx == 10:
            with torch.no_grad():
                self.network[-1].bias.fill_(math.nan)
        real(self, outputs, batch, batch_idx)

    monkeypatch.setattr(Classifier, "on_train_batch_end", on_train_batch_end)
    with pytest.raises(UserError, match=r"a weight turned NaN or infinite by step 22 \(epoch 2\)"):
        train(configure(*TINY, "trainer.max_epochs=4", *words))


def test_weights_that_turn_nan_after_the_last_loss_never_reach_a_checkpoint(configure, tmp_path, monkeypatch):
    def spoil(loss):
        return loss + 0 * loss.sqrt().sub(loss.detach().sqrt()).sqrt()  # 0 in value, its gradient is NaN

    at_batch(monkeypatch, 0, 10, spoil)  # the last of the epoch: a validation follows
    with pytest.raises(UserError, match="a weight turned NaN or infinite by step 11"):
        train(configure(*TINY))
    assert not (tmp_path / "run" / "best.ckpt").exists()


@pytest.mark.parametrize("clip", ("", "value", "norm"))
def test_on_nan_skip_leaves_the_step_out_and_counts_it(configure, tmp_path, monkeypatch, capsys, clip):
    at_batch(monkeypatch, 1, 4, lambda loss: loss * math.nan)
    words = [f"trainer.gradient_clip_algorithm={clip}", "trainer.gradient_clip_val=0.5"] if clip else []
    assert train(configure(*TINY, "on_nan=skip", *words))["epochs"] == 2
    assert "infinite gradients: 1 of 22 (5%)." in capsys.readouterr().out
    moments = load_checkpoint(tmp_path / "run" / "last.ckpt")["optimizer_states"][0]["state"]
    assert {int(moment["step"]) for moment in moments.values()} == {21}  # of 22


@pytest.mark.parametrize("batches", (1, 2))
def test_a_step_that_is_left_out_leaves_nothing_in_batch_norms_statistics(configure, tmp_path, monkeypatch, batches):
    """A batch with an infinite number makes the running variance infinite in the forward pass already."""
    words = ("model=mlp", *TINY, "trainer.max_epochs=1", "on_nan=skip", f"trainer.accumulate_grad_batches={batches}")
    real, statistics = Classifier.training_step, []

    def training_step(self, batch, batch_idx):
        norms = [module for module in self.modules() if isinstance(module, torch.nn.BatchNorm1d)]
        statistics.append([buffer.clone() for norm in norms for buffer in norm.buffers()])
        return real(self, (batch[0] * (1e30 if batch_idx == 5 else 1), batch[1]), batch_idx)

    monkeypatch.setattr(Classifier, "training_step", training_step)
    train(configure(*words))
    assert all(torch.equal(before, after) for before, after in zip(statistics[6 - batches], statistics[6], strict=True))
    earlier = zip(statistics[5 - batches], statistics[6 - batches], strict=True)
    assert not all(torch.equal(before, after) for before, after in earlier)
    for name in ("best.ckpt", "last.ckpt"):
        values = load_checkpoint(tmp_path / "run" / name)["state_dict"].values()
        assert all(value.isfinite().all() for value in values)


def test_an_epoch_of_which_every_step_is_left_out_ends_the_run_with_a_sentence(configure, tmp_path, monkeypatch):
    in_every_step(monkeypatch, lambda model, loss, *batch: loss * (math.nan if model.current_epoch else 1))
    with pytest.raises(UserError, match=r"all 11 steps of epoch 2 gave NaN or infinite gradients and were left out"):
        train(configure(*TINY, "trainer.max_epochs=3", "on_nan=skip"))
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_run_that_has_left_out_most_steps_is_not_finished_by_going_on_with_on_nan_stop(configure, tmp_path):
    words = (*TINY, "trainer.max_epochs=1", "optimizer.lr=1e20", "scheduler=none")
    for on_nan in ("skip", "stop"):
        with pytest.raises(UserError, match=r"10 of 11 steps were left out"):
            train(configure(*words, f"on_nan={on_nan}"))
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_infinite_statistics_never_reach_a_checkpoint(configure, tmp_path, monkeypatch):
    cfg, real = configure("model=mlp", *TINY, "on_nan=skip"), Classifier.on_before_optimizer_step

    def on_before_optimizer_step(self, optimizer) -> None:  # after `SkipNaN` has looked at this step
        if self.trainer.fit_loop.epoch_loop.batch_idx == 10:  # the last of the epoch: a validation follows
            norm = next(module for module in self.modules() if isinstance(module, torch.nn.BatchNorm1d))
            norm.running_var.fill_(math.inf)
        real(self, optimizer)

    monkeypatch.setattr(Classifier, "on_before_optimizer_step", on_before_optimizer_step)
    with pytest.raises(UserError, match="batch norm's statistics turned NaN or infinite by step 11"):
        train(cfg)
    assert not (tmp_path / "run" / "best.ckpt").exists()


def test_another_machine_is_said_in_one_line_and_the_run_goes_on(configure, tmp_path, capsys):
    train(configure(*TINY, "trainer.max_epochs=1"))
    with rewritten(tmp_path / "run" / "last.ckpt") as checkpoint:
        checkpoint["resume"]["environment"] |= {"torch": "2.0", "threads": 7}
    assert train(configure(*TINY))["epochs"] == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "last bits may differ" in line]
    assert f"torch: 2.0 in the run, {torch.__version__} now; threads: 7 in the run, 1 now" in line


def test_another_number_of_processes_is_refused(configure, tmp_path):
    train(configure(*TINY, "trainer.max_epochs=1"))
    with rewritten(tmp_path / "run" / "last.ckpt") as checkpoint:
        checkpoint["resume"]["environment"]["processes"] = 2
    with pytest.raises(UserError, match=r"a run of 2 processes, not of 1.* trainer\.devices=2"):
        train(configure(*TINY))


def test_data_of_the_right_size_with_other_content_is_refused_on_resume(configure, tmp_path, data_dir):
    words = ("dataset=mnist", "model=mlp", "model.hidden=[8]", *TINY)
    train(configure(*words, "trainer.max_epochs=1"))
    raw = tmp_path / "other" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_dir / "MNIST" / "raw").iterdir():
        content = bytearray(file.read_bytes())
        content[-1] ^= file.name.startswith("train-images")
        (raw / file.name).write_bytes(content)
    with pytest.raises(UserError, match=r"run on other data \(checksum \w{8} in the run, \w{8} now\).* data_dir="):
        train(configure(*words, f"data_dir={tmp_path}/other"))


def write_table(file: Path, unit=1.0, word="u") -> None:
    rows = (f"{unit * (row % 7)},{(word, 'v')[row % 2]},{'xyz'[row % 3]}" for row in range(60))
    file.write_text("\n".join(["size,kind,class", *rows]) + "\n")


@pytest.mark.parametrize(("changed", "column"), [({"unit": 1024.0}, "size"), ({"word": "q"}, "kind")])
def test_a_table_in_other_units_or_words_is_refused_on_resume(configure, tmp_path, changed, column):
    words = ("dataset=csv", "dataset.target=class", "model=mlp", f"data_dir={tmp_path}/table.csv", "scheduler=none")
    write_table(tmp_path / "table.csv")
    train(configure(*words, "trainer.max_epochs=1"))
    write_table(tmp_path / "table.csv", **changed)  # which gives the network the same inputs
    with pytest.raises(UserError, match=f"run on other data .another name, scale or words of {column}.: a file has"):
        train(configure(*words, "trainer.max_epochs=2"))
    write_table(tmp_path / "table.csv")
    with rewritten(tmp_path / "run/last.ckpt") as checkpoint:
        for described in checkpoint["proj"]["columns"]:
            described.pop("covered", None)  # which older versions did not write
    assert train(configure(*words, "trainer.max_epochs=2"))["epochs"] == 2


def test_a_finished_run_gives_no_figures_for_other_data_but_does_if_its_data_is_gone(configure, tmp_path, capsys):
    table = tmp_path / "table.csv"
    cfg = configure("dataset=csv", "dataset.target=class", "model=mlp", f"data_dir={table}", "trainer.max_epochs=1")
    write_table(table)
    metrics = train(cfg)
    content = table.read_text()
    for changed in (content.replace("x", "w"), content.replace(",u,", ",v,"), content.replace("0.0,", "9.0,")):
        table.write_text(changed)
        with pytest.raises(UserError, match=r"holds a run on other data|holds a run whose classes have other names"):
            train(cfg)
    table.unlink()
    capsys.readouterr()
    assert train(cfg) == metrics
    said = capsys.readouterr().out
    assert "Whether the run's data has changed is not known, since it cannot be opened: " in said
    table.write_text(content)
    assert train(cfg) == metrics and capsys.readouterr().out.startswith("This run is finished; its figures are in")


def without_memory(loss):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB.")


def without_memory_of_onednn(loss):
    raise RuntimeError("could not create a primitive")


@pytest.mark.parametrize(
    "happens",
    (lambda _: torch.empty(2**55), lambda _: np.empty(2**55), without_memory, without_memory_of_onednn),
)
def test_too_little_memory_is_known_whoever_says_it(happens):
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        happens(None)
    assert out_of_memory(raised.value)


def test_too_little_memory_names_the_batch_size_and_one_that_may_fit(configure, monkeypatch):
    at_batch(monkeypatch, 0, 2, without_memory)
    with pytest.raises(UserError, match=r"not suffice for dataset\.batch_size=10: .*batch_size=5 or a smaller"):
        train(configure(*TINY))


def test_too_little_memory_for_a_batch_that_was_chosen_asks_for_a_smaller_one(configure, monkeypatch):
    at_batch(monkeypatch, 0, 0, without_memory)
    with pytest.raises(UserError, match=r"dataset\.batch_size=null chooses: .*with a smaller dataset\.batch_size or a"):
        train(configure(*TINY, "dataset.batch_size=null"))


@pytest.mark.parametrize("place", ("torch.nn.Conv2d.forward", "torch.nn.Linear.__init__", "torch.optim.AdamW.step"))
def test_too_little_memory_where_a_run_begins_is_taken_for_no_other_mistake(configure, monkeypatch, place):
    monkeypatch.setattr(place, lambda *args, **settings: torch.empty(2**55))
    with pytest.raises(UserError, match=r"^the memory does not suffice|do not fit into the memory"):
        train(configure("dataset=digits", "trainer.max_epochs=1"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_folder_that_is_moved_while_its_run_trains_is_a_sentence_and_goes_on_there(configure, tmp_path, monkeypatch):
    def move(loss):
        (tmp_path / "run").rename(tmp_path / "moved")
        return loss

    at_batch(monkeypatch, 1, 2, move)
    with pytest.raises(UserError, match=r"run was moved or deleted: continue with resume=<its new place>\."):
        train(configure(*TINY))
    assert load_checkpoint(tmp_path / "moved/last.ckpt")["global_step"]


def test_too_little_memory_for_the_data_names_no_batch_size(configure, monkeypatch):
    monkeypatch.setattr("proj.data.sklearn.IrisDataModule.load", lambda self: np.empty(2**55))
    with pytest.raises(UserError, match=r"^the memory does not suffice for the data: use a machine that has more"):
        train(configure())


def test_too_little_memory_while_files_are_read_makes_them_no_damaged_ones(configure, monkeypatch, tmp_path):
    """A photo that was left out would be missing in all runs that follow."""
    raw, photos = tmp_path / "MNIST/raw", write_photos(tmp_path / "photos", 10)
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    torch.save({}, tmp_path / "w.pth")
    for place in ("torchvision.datasets.mnist.read_sn3_pascalvincent_tensor", "torch.load"):
        monkeypatch.setattr(place, lambda *args, **settings: torch.empty(2**55))
    monkeypatch.setattr("proj.data.photos.image_file.fit_image", lambda *args: np.empty(2**55))
    words = "dataset=image_folder", f"data_dir={photos}", f"dataset.cache_dir={tmp_path}/cache"
    with pytest.raises(UserError, match=r"the memory does not suffice to read .*photos/.*\.png: end other programs"):
        train(configure(*words))
    with pytest.raises(UserError, match="the memory does not suffice for the data"):
        train(configure("dataset=mnist", f"data_dir={tmp_path}"))
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        read_weights(tmp_path / "w.pth")


def test_too_little_memory_for_torch_itself_is_a_sentence_and_a_folder_without_programs_is_not():
    """As `ulimit -v` has the loader say it; the other is said of a disk that is mounted with noexec."""
    said = "libtorch_cpu.so: failed to map segment from shared object"
    assert explain(ImportError(said)).startswith("the memory does not suffice: ")
    assert explain(ImportError(f"{said}: Operation not permitted")) is None
    assert explain(OSError(errno.ENOMEM, "Cannot allocate memory")).startswith("the memory does not suffice: ")


def test_too_little_memory_for_a_checkpoint_does_not_make_it_a_damaged_one(trained, monkeypatch, mistake):
    folder = trained()
    monkeypatch.setattr("proj.checkpoint.file.model_of", lambda *args: torch.empty(2**55))
    assert "the memory does not suffice: end other programs" in mistake("proj.evaluate", f"run={folder}")


@pytest.mark.parametrize(("optimizer", "memory"), [("adamw", 3e6), ("sgd", 1.5e6)])
def test_a_model_that_the_system_would_end_for_lack_of_memory_is_refused_first(
    configure, monkeypatch, optimizer, memory
):
    """Its 779,000 bytes of weights have gradients beside them, and two numbers more each for Adam."""
    monkeypatch.setattr("proj.training.fitting.memory", lambda: memory)
    words = ("dataset=digits", "model=mlp", "model.hidden=[2000,32]", "trainer=cpu", f"optimizer={optimizer}")
    message = (
        rf"optimizer keeps of them take more than 0\.0 GB, and this machine has {memory / 1e9:.1f}: choose a smaller"
    )
    with pytest.raises(UserError, match=message):
        build_data_and_model(configure(*words))
    monkeypatch.setattr("proj.training.fitting.memory", lambda: memory * 1.1)
    build_data_and_model(configure(*words))


def test_a_disk_that_fills_up_under_a_checkpoint_loses_none_before(configure, small_disk):
    disk = small_disk("350k")
    words = ("dataset=digits", "model=mlp", *TINY)
    again = f"resume={quote(f'{disk}/run')}$"
    with pytest.raises(UserError, match=rf"last\.ckpt could not be written \(No space left .*{again}"):
        train(configure(*words, folder=disk / "run"))
    assert not list((disk / "run").glob("*.tmp"))
    assert load_checkpoint(disk / "run" / "previous.ckpt")["global_step"] >= 1
    subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
    assert train(configure(*words, folder=disk / "run"))["epochs"] == 2


def test_a_disk_that_fills_up_under_the_curves_is_one_sentence(configure, small_disk, monkeypatch, capfd):
    disk = small_disk("2m")
    at_batch(monkeypatch, 1, 3, lambda loss: fill(disk) or loss)
    with pytest.raises(
        UserError, match=r"could not be written \(No space left on device\): make room\. What was saved"
    ):
        train(configure("trainer.max_epochs=400", "scheduler=none", "save_every=0.5", folder=disk / "run"))
    assert "Traceback" not in capfd.readouterr().err
    (disk / "ballast").unlink()
    monkeypatch.undo()
    assert train(configure("trainer.max_epochs=2", "scheduler=none", folder=disk / "run"))["epochs"] == 2


@pytest.mark.parametrize("state", ("full", "read-only"))
def test_hydras_own_files_on_a_full_or_read_only_disk_are_one_sentence(command, small_disk, state):
    disk = small_disk("64k")
    if state == "full":
        fill(disk)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for word in (f"hydra.run.dir={disk}/run", f"hydra.run.dir=${{new_folder:{disk}/outputs}}"):
        process = command("-m", "proj.train", word)
        assert process.returncode == 1 and len(process.stderr.splitlines()) == 1
        assert re.match(
            r"error: \S.* could not be written \(.*\): (make room|have its disk mounted for writing), or choose",
            process.stderr,
        )


@pytest.mark.parametrize("state", ("full", "read-only"))
def test_a_sweep_on_a_full_or_read_only_disk_says_what_goes_on_with_it(command, small_disk, state):
    disk = small_disk("16m")  # of which the report takes five
    words = ("seed=1,2", "trainer.max_epochs=1", f"hydra.sweep.dir={disk}/s")
    assert command("-m", "proj.train", "-m", *words).returncode == 0
    shutil.rmtree(disk / "s/1_seed=2")
    if state == "full":
        fill(disk)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    process = command("-m", "proj.sweep", f"resume={disk}/s")
    assert process.returncode == 1 and len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.rstrip().endswith(f"To continue the sweep: python -m proj.sweep {quote(f'resume={disk}/s')}")


def test_an_existing_run_on_a_read_only_disk_is_one_sentence(configure, small_disk):
    disk = small_disk("2m")
    (disk / "run").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(UserError, match=r"could not be written \(Read-only file system\)"):
        train(configure(*TINY, folder=disk / "run"))


UNDER_NOHUP = pytest.mark.skipif(signal.SIGHUP not in STOP_SIGNALS, reason="nohup has these tests ignore SIGHUP")
STOPS = ((signal.SIGTERM, True), (signal.SIGINT, False), (signal.SIGUSR1, True))


@pytest.mark.parametrize(("number", "slurm"), (*STOPS, pytest.param(signal.SIGHUP, False, marks=UNDER_NOHUP)))
def test_a_signal_saves_and_leaves_with_128_plus_its_number_also_under_slurm(
    configure, tmp_path, monkeypatch, capsys, number, slurm
):
    if slurm:
        known = {"NTASKS": 1, "JOB_ID": 7, "JOB_NAME": "x", "PROCID": 0, "LOCALID": 0, "NODEID": 0, "NODELIST": "here"}
        for name, value in known.items():
            monkeypatch.setenv(f"SLURM_{name}", str(value))
    words = ("trainer.max_epochs=2", "scheduler=none", "trainer.accumulate_grad_batches=2")
    at_batch(monkeypatch, 0, 4, lambda loss: os.kill(os.getpid(), number) or loss)
    with pytest.raises(SystemExit) as stop:
        train(configure(*words, folder=tmp_path / "run"))
    assert stop.value.code == 128 + number
    assert f"python -m proj.train resume={quote(f'{tmp_path}/run')}" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "run" / "last.ckpt")["resume"]["batch"] == 6  # the accumulated two are done
    assert json.loads((tmp_path / "run" / "run.json").read_text())["steps_per_epoch"] == 6  # of 11 batches
    assert not list(tmp_path.rglob("hpc_ckpt*"))


def test_a_second_signal_ends_the_process_where_it_is_the_same_and_no_copy_of_the_first(monkeypatch, capfd):
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    signals = StopSignals()
    for seconds, number in ((100, 15), (100.5, 15), (109, 10), (109.5, 15)):
        assert not left
        monkeypatch.setattr("proj.training.robustness.signals.time", SimpleNamespace(monotonic=lambda now=seconds: now))
        signals._note(number, None)
    assert left == [128 + 15] and signals.number == 15 and "Stopped at once" in capfd.readouterr().err


def test_several_processes_stop_at_the_same_batch_and_only_the_first_says_by_what():
    signals, other = StopSignals(), torch.tensor([1.0, 15.0])
    strategy = SimpleNamespace(
        root_device="cpu", reduce=lambda own, reduce_op: getattr(torch, f"a{reduce_op}")(torch.stack([own, other]), 0)
    )
    trainer = SimpleNamespace(world_size=2, accumulate_grad_batches=2, log_every_n_steps=50, strategy=strategy)
    assert [signals.asked(trainer, batch) for batch in (2, 50, 100)] == [(False, 0), (False, 0), (True, 15)]
    signals.number = 15
    assert signals.asked(trainer, 100) == (True, 15)
    with pytest.raises(SystemExit) as stop:
        end_by(SimpleNamespace(is_global_zero=False), 15)
    assert stop.value.code == 0


@pytest.mark.parametrize(
    ("where", "words"), (("test_step", ["dataset=digits", "model=mlp"]), ("on_validation_end", ["test=false"]))
)
def test_a_signal_after_the_last_step_ends_with_its_exit_code_and_the_same_command_measures_again(
    configure, tmp_path, monkeypatch, where, words
):
    real = getattr(Classifier, where)

    def called(self, *args):
        if self.current_epoch and not self.trainer.sanity_checking:
            os.kill(os.getpid(), signal.SIGTERM)
        real(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, where, called)
        with pytest.raises(SystemExit) as stop:
            train(configure(*words, *TINY))
    assert stop.value.code == 143 and not (tmp_path / "run" / "metrics.json").exists()
    assert train(configure(*words, *TINY))["epochs"] == 2


def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew_without_a_word(configure, tmp_path, monkeypatch):
    """Neither after the first life that has saved, nor after one that went on and has not saved yet."""
    break_off(monkeypatch, configure(*TINY), 0, 5)
    for again in (False, True):
        for name in ("last.ckpt", "previous.ckpt"):
            kept = tmp_path / "run" / name
            kept.rename(tmp_path / name)
        with pytest.raises(UserError, match=r"run holds a run that cannot be resumed without its last\.ckpt"):
            train(configure(*TINY))
        for name in ("last.ckpt", "previous.ckpt"):
            (tmp_path / name).rename(tmp_path / "run" / name)
        if not again:
            break_off(monkeypatch, configure(*TINY, "save_every=1000"), 0, 7)


def test_more_gpus_than_there_are_is_refused(configure, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match=r"devices=4 are asked for, but torch finds 1: use trainer\.devices=1"):
        train(configure(*TINY, "trainer=gpu", "trainer.devices=4"))


def test_an_epoch_that_goes_on_is_known_to_have_had_good_steps(configure, tmp_path, monkeypatch):
    def spoil(model, loss, batch, batch_idx):
        return loss * (math.nan if model.current_epoch and batch_idx >= 5 else 1)

    words = (*TINY, "on_nan=skip")
    in_every_step(monkeypatch, spoil)
    break_off(monkeypatch, configure(*words), 1, 5)  # all of its steps after this one are left out
    assert train(configure(*words))["steps_left_out"] == 6


def test_the_command_that_is_named_after_a_stop_trusts_the_runs_own_classes(configure, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Slow, "on_train_batch_end", lambda *args: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(SystemExit):
        train(configure(*slow(0), "trainer.max_epochs=2"))
    assert capsys.readouterr().out.endswith(f"resume={quote(f'{tmp_path}/run')} trust=support\n")


def test_a_run_whose_best_checkpoint_is_gone_says_so_before_it_trains_on(configure, tmp_path):
    words = ("model=iris", "scheduler=none")
    train(configure(*words, "trainer.max_epochs=1"))
    best = tmp_path / "run" / "best.ckpt"
    content = best.read_bytes()
    best.unlink()
    again = configure(*words, "trainer.max_epochs=2")
    with pytest.raises(UserError, match=r"best.ckpt is missing, the best checkpoint so far: put it back"):
        train(again)
    best.write_bytes(content)
    assert train(again)["epochs"] == 2
