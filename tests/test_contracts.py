"""What is taken of other libraries that they do not promise: private names, and sentences that they say.

A new version may change any of it. Each contract then fails with a sentence that names the library, its version, what
it no longer keeps and the file of ours that relies on it. `docs/design.md` lists the private names.
"""

import argparse
import ast
import contextlib
import functools
import importlib
import inspect
import os
import pkgutil
import re
import signal
import subprocess
import sys
import warnings
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path

import optuna
import pytest
import torch
import torchvision
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from lightning.pytorch import Callback, Trainer, callbacks
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.demos.boring_classes import BoringModel
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution
from support import speed
from support.processes import PATIENCE, PROCESSES, in_child, new
from support.refusals import refusals

import proj
from proj.config.compose import CONF
from proj.errors import LOST

SOURCE = Path(__file__).parents[1] / "src" / "proj"


@pytest.fixture(autouse=True)
def hydra_alone(monkeypatch):
    """Hydra composes as for a user, without what the other tests keep."""
    for replaced in speed.FOR_USERS:
        monkeypatch.setattr(*replaced)


def contract(library: str, promise: str, *files: str):
    """Of a test that calls a library's private part or provokes its sentence: fail with the sentence that says so."""

    def wrap(test):
        @functools.wraps(test)
        def told(*args, **kwargs):
            try:
                test(*args, **kwargs)
            except Exception as error:
                what = f"{type(error).__name__}: {error}".split("\n")[0]
                where = " and ".join(f"src/proj/{file}" for file in files)
                sentence = f"With {library} {version(library)} this no longer holds: {promise} ({what}). See {where}."
                pytest.fail(sentence, pytrace=False)

        return told

    return wrap


def said(call, *args, **settings) -> BaseException:
    """What a call that must fail raises."""
    try:
        call(*args, **settings)
    except Exception as error:
        return error
    raise AssertionError("nothing was refused")


# Lightning

EPOCH, FETCHER, LOGS = "fit_loop.epoch_loop", "fit_loop._data_fetcher", "_logger_connector"
KINDS = (  # what the parts are while a batch is trained: kind, the way from the Trainer to their owner, names
    (int, EPOCH, "_batches_that_stepped batch_idx max_steps global_step"),
    (int, f"{EPOCH}.batch_progress", "current.completed current.ready total.processed total.started"),
    (int, "fit_loop.epoch_progress", "current.processed"),
    (int, FETCHER, "fetched length"),
    (bool, FETCHER, "done"),
    (bool, EPOCH, "restarting batch_progress.is_last_batch automatic_optimization._skip_backward"),
    (bool, f"{EPOCH}.val_loop", "restarting _has_run inference_mode skip"),
    (dict, EPOCH, "_results val_loop._seen_batches_per_dataloader"),
    (list, EPOCH, "val_loop.max_batches"),
    (list, FETCHER, "iterator._iterator.iterators"),
    (list, "fit_loop", "_combined_loader.flattened"),
    (str, "lightning_module", "_current_fx_name"),
    (type(None), EPOCH, "val_loop._combined_loader"),  # there is no validation
    ((bool, type(None)), LOGS, "_first_loop_iter"),
    (callable, EPOCH, "val_loop.setup_data scheduler_progress.increment_completed"),
    (callable, f"{EPOCH}.val_loop.batch_progress", "increment_started reset_on_run"),
    (callable, f"{EPOCH}.automatic_optimization.optim_progress.optimizer", "step.increment_ready"),
    (callable, f"{EPOCH}.automatic_optimization.optim_progress.optimizer", "zero_grad.increment_started"),
    (callable, LOGS, "on_batch_end on_batch_start on_epoch_end epoch_end_reached reset_results"),
    (callable, LOGS, "update_train_step_metrics update_eval_step_metrics update_eval_epoch_metrics"),
    (callable, LOGS, "log_eval_end_metrics"),
)
PARTS = {f"{owner}.{name}": kind for kind, owner, names in KINDS for name in names.split()}
PARTS["_val_check_time_interval"] = type(None)


@functools.cache
def seen_in_training() -> dict:
    """The parts that there are while Lightning's own loop trains a batch, and the checkpoint of it."""
    found = {}

    class Look(Callback):
        def on_train_batch_start(self, trainer, *args) -> None:
            for path in PARTS:
                with contextlib.suppress(AttributeError):
                    found[path] = attrgetter(path)(trainer)
            if trainer.global_step:
                found["checkpoint"] = trainer._checkpoint_connector.dump_checkpoint()

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Trainer(
            accelerator="cpu", max_epochs=1, limit_train_batches=2, limit_val_batches=0, callbacks=[Look()],
            enable_checkpointing=False, **quiet,
        ).fit(BoringModel())  # fmt: skip
    return found


@pytest.mark.parametrize("path", PARTS)
@contract(
    "lightning",
    "a run's loops and counts are where they were",
    "training/fast/fast_loop.py",
    "training/robustness/counters.py",
)
def test_lightnings_parts_are_where_the_fast_loop_and_resume_look_for_them(path):
    assert path in seen_in_training(), f"the Trainer has no {path}"
    found, kind = seen_in_training()[path], PARTS[path]
    assert callable(found) if kind is callable else isinstance(found, kind), f"{path} is {found!r}"


@contract("lightning", "a hook's name is in `_current_fx_name` while it is called", "training/fast/fast_loop.py")
def test_lightning_names_the_hook_that_it_calls():
    assert seen_in_training()["lightning_module._current_fx_name"] == "on_train_batch_start"


@contract("lightning", "a checkpoint counts epochs and batches as it did", "training/robustness/counters.py")
def test_lightnings_checkpoint_counts_as_resume_edits_it():
    loops = seen_in_training()["checkpoint"]["loops"]["fit_loop"]
    batches = loops["epoch_loop.batch_progress"]
    assert "is_last_batch" in batches
    for counts in (batches["total"], batches["current"], loops["epoch_progress"]["current"]):
        assert {"ready", "started", "processed", "completed"} <= counts.keys()
    assert batches["current"] == {"ready": 2, "started": 1, "processed": 1, "completed": 1}  # in the second batch


@contract("lightning", "a loop's `restarting` is a property that can be set", "training/robustness/counters.py")
def test_lightnings_loops_can_be_told_that_they_do_not_restart():
    from lightning.pytorch.loops.loop import _Loop

    loop = _Loop.__new__(_Loop)
    _Loop.restarting.fset(loop, True)
    assert loop.restarting is True


@contract("lightning", "the classes of its loops are those that the fast loop replaces", "training/fast/fast_loop.py")
def test_lightnings_loops_have_the_methods_that_the_fast_loop_replaces():
    from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
    from lightning.pytorch.loops.optimization.automatic import _AutomaticOptimization
    from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop

    assert "_last_val_time" in inspect.getsource(_EvaluationLoop.on_run_end)
    assert all(callable(getattr(_TrainingEpochLoop, name)) for name in ("on_run_start", "advance", "on_advance_end"))
    assert callable(_AutomaticOptimization)


@contract("lightning", "what `self.log` has collected can be read and put back", "training/robustness/counters.py")
def test_what_lightning_collects_of_an_epoch_can_be_read_and_put_back():
    from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultCollection

    results = _ResultCollection(training=True)
    results.log("training_step", "loss", torch.tensor(2.0), on_step=True, batch_size=3)
    (metric,), meta = results.values(), results["training_step.loss"].meta
    assert (metric.has_reset, metric.value, metric.cumulated_batch_size, metric._forward_cache) == (False, 6, 3, 2)
    assert meta.reduce_fx is torch.mean and (meta.sync.should, meta.sync.rank_zero_only) == (False, False)
    metric.value, metric.cumulated_batch_size = torch.tensor(10.0), torch.tensor(2)
    assert metric.compute() == 5


@contract("lightning", "the best checkpoints' callback saves what resume moves", "training/robustness/start.py")
def test_lightnings_checkpoint_callback_saves_the_paths_that_resume_moves(tmp_path):
    state = ModelCheckpoint(dirpath=tmp_path, monitor="val/acc").state_dict()
    paths = {"best_model_path", "kth_best_model_path", "last_model_path", "best_k_models"}
    assert paths | {"current_score", "dirpath"} <= state.keys()


@contract("lightning", "the progress bar asks `_get_train_description` for its text", "training/progress_bar.py")
def test_lightnings_progress_bar_asks_for_its_description():
    assert "Epoch 0" in RichProgressBar._get_train_description(_Bar(), 0)


class _Bar:
    """As much of a progress bar as its description takes."""

    trainer = type("trainer", (), {"max_epochs": 2})()
    validation_description = "Validation"


@pytest.mark.parametrize("kind", ["EarlyStopping", "ModelCheckpoint"])
@contract("lightning", "a metric that is not there is named as `explain` reads it", "config/explain.py")
def test_lightning_names_a_metric_that_is_not_there(tmp_path, kind):
    from proj.config.explain import explain

    callback = getattr(callbacks, kind)(monitor="val/nope")
    settings = {"accelerator": "cpu", "max_epochs": 1, "limit_train_batches": 1, "limit_val_batches": 1}
    settings |= {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    settings |= {"enable_checkpointing": kind == "ModelCheckpoint"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(default_root_dir=tmp_path, callbacks=[callback], **settings)
        error = said(trainer.fit, BoringModel())
    assert (explain(error) or str(error)).startswith("monitor=val/nope does not exist.")


@contract("lightning", "a wrong argument raises its MisconfigurationException", "config/explain.py")
def test_lightning_refuses_an_argument_by_the_exception_that_explain_knows():
    assert type(said(Trainer, accelerator="cpu", max_epochs=-2)).__name__ == "MisconfigurationException"


@contract("lightning", "its warnings are those that a run leaves out", "training/library_defaults.py")
def test_a_run_leaves_out_every_warning_of_lightnings_and_torchs(configure, monkeypatch, tmp_path):
    from proj.training import library_defaults
    from proj.training.run import train

    known = library_defaults.QUIET
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(library_defaults, "QUIET", ())
    words = ["dataset=digits", "model=mlp", "scheduler=plateau", "model.hidden=[8]", "dataset.batch_size=400"]
    words += ["trainer.check_val_every_n_epoch=2", "trainer.max_epochs=-1", "callbacks.dashboard.histograms=false"]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        train(configure(*words, "trainer.max_steps=8"))
        train(configure(*words, "trainer.max_steps=16"))  # goes on within an epoch, in a folder that is there
        train(configure(*words, "trainer.max_steps=2", "trainer.overfit_batches=1", folder=tmp_path / "other"))
    # A ResourceWarning, which no run shows, is about an object of whatever ran before that is only now deleted.
    found = [one for one in found if not issubclass(one.category, ResourceWarning)]
    sentences = {str(one.message).strip() for one in found if "site-packages" in one.filename}
    sentences = {text for text in sentences if not any(re.match(pattern, text, re.I) for pattern in known)}
    assert not sentences, f"a run says: {sentences}"


# torchmetrics and torch


@contract("torchmetrics", "a metric's count and its last result can be set", "training/robustness/counters.py")
def test_a_metric_goes_on_from_what_it_had_counted():
    from torchmetrics import MeanMetric

    metric = MeanMetric()
    metric.update(torch.tensor(1.0))
    metric.compute()
    metric._update_count, metric._computed = 7, None
    metric.update(torch.tensor(3.0))
    assert metric.update_count == 8 and metric.compute() == 2


@contract("torch", "an optimizer's step hooks are where they were", "training/fast/fast_loop.py")
def test_an_optimizers_hooks_and_a_wrapped_step_can_be_seen():
    from torch.optim import optimizer

    used = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    used.register_step_pre_hook(print)
    used.register_step_post_hook(print)
    assert len(used._optimizer_step_pre_hooks) == len(used._optimizer_step_post_hooks) == 1
    handles = [optimizer.register_optimizer_step_pre_hook(print), optimizer.register_optimizer_step_post_hook(print)]
    assert len(optimizer._global_optimizer_pre_hooks) == len(optimizer._global_optimizer_post_hooks) == 1
    for handle in handles:
        handle.remove()
    torch.optim.lr_scheduler.StepLR(used, 1)
    assert hasattr(used.step, "_wrapped_by_lr_sched") and vars(used)["step"].__wrapped__ is type(used).step


@contract("torch", "norms of many tensors are had in one call", "models/measuring.py")
def test_torch_takes_many_norms_at_once_and_says_whose_step_unscales():
    norms = torch._foreach_norm([torch.tensor([3.0, 4.0]), torch.tensor([1.0])])
    assert [float(norm) for norm in norms] == [5, 1]
    fused = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], fused=True)
    assert fused._step_supports_amp_scaling is True


@contract("torch", "the kernels of its fused Adam take a group's tensors and settings", "training/fast/fast_loop.py")
@pytest.mark.parametrize("kernel", ("_fused_adam_", "_fused_adamw_"))
def test_torchs_fused_adam_steps_the_tensors_that_it_is_given(kernel):
    (weights, gradients, moments, squares), steps = ([torch.ones(2)] for _ in range(4)), [torch.ones(())]
    torch._foreach_add_(steps, 1)
    settings = {"lr": 0.1, "beta1": 0.0, "beta2": 0.0, "weight_decay": 0.0, "eps": 0.0}
    settings |= {"amsgrad": False, "maximize": False}
    getattr(torch, kernel)(weights, gradients, moments, squares, [], steps, **settings)
    assert steps == [2] and weights[0].tolist() == pytest.approx([0.9, 0.9])


@contract("torch", "its engine takes a loss and the gradient of it", "training/fast/fast_loop.py")
def test_torchs_engine_adds_the_gradients_of_a_loss_to_its_weights():
    weights = torch.ones(3, requires_grad=True)
    engine, loss, ones = torch.autograd.Variable._execution_engine, (weights * 2).sum(), (torch.ones(()),)
    engine.run_backward((loss,), ones, False, False, (), allow_unreachable=True, accumulate_grad=True)
    assert weights.grad.tolist() == [2, 2, 2]


@contract("torch", "TensorBoard's writer takes records and a graph", "pictures/tensorboard.py", "pictures/graph.py")
def test_tensorboards_writer_takes_records_and_graphs(tmp_path):
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard._pytorch_graph import graph

    writer = SummaryWriter(tmp_path)
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag="loss", simple_value=1.0)]), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer._get_file_writer().add_graph(graph(torch.nn.Linear(2, 1), torch.ones(1, 2)))
    writer.close()
    assert b"loss" in next(tmp_path.iterdir()).read_bytes()


@contract("torch", "it names what `torch.load` refuses in a file", "checkpoint/file.py")
def test_torch_names_what_it_refuses_in_a_file(tmp_path):
    from proj.checkpoint.file import unsafe_names

    torch.save({"path": tmp_path}, tmp_path / "it.ckpt")
    assert "pathlib" in unsafe_names(tmp_path / "it.ckpt")
    assert type(said(torch.load, tmp_path / "it.ckpt", weights_only=True)).__name__ == "UnpicklingError"


def without_memory() -> None:
    torch.empty(2**55)


def batch_of_one() -> None:
    torch.nn.BatchNorm1d(2)(torch.ones(1, 2))


def without_order() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1), accumulate=False)
    finally:
        torch.use_deterministic_algorithms(False)


def without_gradients() -> None:
    torch.zeros(1).backward()


def other_weights() -> None:
    torch.nn.Linear(2, 1).load_state_dict({"weight": torch.ones(1, 3), "bias": torch.ones(1)})


@pytest.mark.parametrize(
    ("happens", "pattern", "file"),
    [
        (other_weights, "proj.training.robustness.faults.OTHER_WEIGHTS", "training/robustness/faults.py"),
        (without_gradients, "proj.training.robustness.faults.NO_GRADIENT", "training/robustness/faults.py"),
        (without_memory, "proj.errors.OUT_OF_MEMORY", "errors.py"),
        (batch_of_one, "proj.training.robustness.faults.ONE_EXAMPLE", "training/robustness/faults.py"),
        (without_order, "proj.training.robustness.faults.NOT_DETERMINISTIC", "training/robustness/faults.py"),
    ],
)
def test_torch_says_what_a_run_translates(happens, pattern, file):
    @contract("torch", f"{happens.__name__} is said as {pattern} reads it", file)
    def provoke() -> None:
        module, name = pattern.rsplit(".", 1)
        text = str(said(happens))
        assert getattr(importlib.import_module(module), name).search(text), text

    provoke()


def one_process(rank: int, port: int, out) -> None:
    """One of two that gloo joins: the second dies, and the first hands on what torch says then."""
    import torch.distributed as dist

    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    dist.all_reduce(torch.ones(1))
    if rank:
        os._exit(7)
    error = said(dist.all_reduce, torch.ones(1))
    out.put((isinstance(error, RuntimeError), str(error)))


@contract("lightning", "its launcher starts an observer that can be replaced", "training/robustness/lost_process.py")
def test_lightnings_launcher_hands_the_processes_that_it_has_started_to_its_observer(monkeypatch):
    from lightning.pytorch.plugins.environments import LightningEnvironment
    from lightning.pytorch.strategies.launchers import subprocess_script

    seen: list[list] = []
    monkeypatch.setattr(subprocess_script, "_launch_process_observer", seen.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # or it would change the number of threads
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    launcher = subprocess_script._SubprocessScriptLauncher(LightningEnvironment(), num_processes=2, num_nodes=1)
    monkeypatch.setattr(launcher, "_call_children_scripts", lambda: launcher.procs.append("process"))
    launcher.launch(int)
    assert seen == [["process"]]


@pytest.mark.slow  # two processes
@contract("torch", "a process that has died is reported as LOST reads it", "errors.py")
def test_torch_says_that_another_process_has_died():
    from support.runs import free_ports

    (port,), out = free_ports(1), PROCESSES.Queue()
    both = [new(one_process, rank, port, out) for rank in (0, 1)]
    for process in both:
        process.start()
    kind, text = out.get(timeout=PATIENCE)
    for process in both:
        process.join()
    assert kind and LOST.search(text), text


# Hydra and OmegaConf


@contract("hydra-core", "its private loader composes a folder that it is given", "sweeps/trust.py", "sweeps/folder.py")
def test_hydras_loader_composes_a_folder_without_starting_hydra():
    from proj.sweeps.sweep_file import loader_of_copy
    from proj.sweeps.trust import composed

    assert composed(CONF, ["dataset=digits"]).hydra.runtime.choices.dataset == "digits"
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path

    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(str(CONF.resolve())))
    elsewhere = loader_of_copy(loader, CONF / "hydra")
    places = {element.path for element in elsewhere.get_search_path().get_path() if element.provider == "main"}
    assert places == {f"file://{(CONF / 'hydra').resolve()}"}


@contract("hydra-core", "its loader's repository knows the groups", "config/check_types.py", "config/loader.py")
def test_a_group_is_told_from_a_setting_by_hydras_repository():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        for key, is_group in {"dataset": True, "hydra/launcher": True, "seed": False, "optimizer.lr": False}.items():
            assert loader.repository.group_exists(key) == bool(loader.get_group_options(key)) == is_group


@contract("hydra-core", "its private loader changes a configuration as words say", "config/stored_run.py")
def test_hydras_loader_changes_a_configuration_that_is_there():
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    cfg = OmegaConf.create({"seed": 0, "callbacks": {"best": {}, "dashboard": {}}})
    words = OverridesParser.create().parse_overrides(["seed=3", "~callbacks.dashboard", "+trainer.x=[1]"])
    ConfigLoaderImpl._apply_overrides_to_config(words, cfg)
    assert cfg == {"seed": 3, "callbacks": {"best": {}}, "trainer": {"x": [1]}}


@refusals(
    ("dataset=digit", "dataset=digit does not exist. Did you mean 'digits'?"),
    ("lerning_rate=1", "There is no setting 'lerning_rate'."),
    ("~optimizr", "~optimizr leaves out something that does not exist. Did you mean 'optimizer'?"),
    ("+seed.x=1", "seed"),
)
@contract("hydra-core", "a mistake is said as `explain` reads it", "config/explain.py")
def test_hydra_says_what_explain_translates(words, sentence):
    from proj.config import configure
    from proj.config.explain import explain

    text = explain(said(configure, words))
    assert text and sentence in text
    assert "\n" not in text and "full_key" not in text and "https" not in text, text


@contract("hydra-core", "the warning of a launcher's schema is the one that is left out", "config/command_line.py")
def test_hydra_warns_of_a_launchers_schema_in_the_words_that_are_left_out():
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    from proj.config.command_line import SCHEMA

    with warnings.catch_warnings(record=True) as found, initialize_config_dir(str(CONF), version_base="1.3"):
        warnings.simplefilter("always")
        compose("train", ["hydra/launcher=submitit_slurm"], return_hydra_config=True)
    texts = [str(one.message) for one in found if "schema" in str(one.message)]
    assert all(re.match(SCHEMA, text) for text in texts), texts


# Optuna, submitit, torchvision, matplotlib, Pillow


@contract("hydra-core", "its own launcher is set up and started as others are", "sweeps/worker.py")
def test_hydras_basic_launcher_is_started_without_a_configuration_of_its_own():
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    launcher = BasicLauncher()
    launcher.setup(hydra_context=None, task_function=None, config=None)
    assert list(inspect.signature(launcher.launch).parameters) == ["job_overrides", "initial_job_idx"]


@contract("optuna", "a trial that runs takes another value of a setting", "sweeps/trials.py")
def test_the_value_of_a_trials_setting_is_replaced_in_the_study(tmp_path):
    from proj.training.study import open_study

    study, space = open_study(tmp_path), FloatDistribution(0, 1)
    trial = study.ask({"lr": space})
    trial.storage.set_trial_param(trial._trial_id, "lr", 0.25, space)
    study.tell(trial, 1.0)
    assert open_study(tmp_path).trials[0].params == {"lr": 0.25}


@contract("optuna", "a trial goes on in another process", "training/pruning.py", "sweeps/trials.py")
def test_a_trial_of_optunas_is_continued(tmp_path):
    from proj.training.pruning import open_study

    study, space = open_study(tmp_path), FloatDistribution(0, 1)
    asked = study.ask({"lr": space})
    again = optuna.trial.Trial(open_study(tmp_path), study.trials[0]._trial_id)
    assert again._suggest("lr", space) == asked.params["lr"] and 0 <= again._suggest("other", space) <= 1


@contract("submitit", "a job's results and its watcher can be replaced", "system/slurm.py")
def test_submitits_job_has_the_methods_that_are_replaced():
    pytest.importorskip("submitit")
    from submitit import SlurmJob
    from submitit.core.utils import UncompletedJobError
    from submitit.slurm.slurm import SlurmInfoWatcher

    assert callable(SlurmJob.results) and issubclass(UncompletedJobError, Exception)
    assert type(SlurmJob.watcher) is type(SlurmInfoWatcher(delay_s=30))


@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST", "CIFAR10"])
@contract("torchvision", "a data set that is not there is `not found`", "data/torchvision.py")
def test_torchvision_says_that_a_data_set_is_missing(tmp_path, kind):
    error = said(getattr(torchvision.datasets, kind), tmp_path)
    assert isinstance(error, RuntimeError) and "not found" in str(error), error


@contract("pillow", "a file that is no image is named at the end of the sentence", "data/photos/image_file.py")
def test_pillow_names_a_file_that_is_no_image(tmp_path):
    from proj.data.photos.image_file import Recipe, read_picture

    (tmp_path / "photo.jpg").write_text("no photo")
    assert read_picture(str(tmp_path / "photo.jpg"), Recipe((8, 8, 3))) == "cannot identify image file"


# Another version of Lightning


@pytest.mark.parametrize(("installed", "lines"), [("2.6.9", 0), ("2.7.0", 1), ("2.5.1", 1)])
def test_another_minor_version_of_lightning_is_said_once_and_takes_its_own_loop(
    configure, monkeypatch, capsys, installed, lines
):
    import lightning.pytorch

    from proj.training.fast import fast_loop
    from proj.training.run import train

    def never(*args) -> None:
        raise AssertionError("the fast loop is for the version that it follows")

    monkeypatch.setattr(lightning.pytorch, "__version__", installed)
    monkeypatch.setattr(lightning, "__version__", installed)
    if lines:
        monkeypatch.setattr(fast_loop.FastEpochLoop, "fast_batch", never)
    train(configure("trainer.max_epochs=1", "~callbacks.dashboard"))
    said = [line for line in capsys.readouterr().out.splitlines() if installed in line]
    assert len(said) == lines and all("tested only with 2.6" in line for line in said)


# The list of private names


HYDRA_WORDS = ("_target_", "_partial_", "_args_", "_global_", "_self_", "_convert_", "_recursive_")


def is_private(name: object) -> bool:
    """`_target_` and the like are words of Hydra's; `os._exit` and a named tuple's `_replace` are documented."""
    found = isinstance(name, str) and re.fullmatch(r"_[A-Za-z]\w*[A-Za-z]_?", name)
    return bool(found) and name not in ("_exit", "_replace", *HYDRA_WORDS)


def names_of(node: ast.AST) -> list:
    """The names that a piece of code asks another object or module for."""
    if isinstance(node, ast.ImportFrom):
        return [*(node.module or "").split("."), *(alias.name for alias in node.names)]
    if isinstance(node, ast.Import):
        return [part for alias in node.names for part in alias.name.split(".")]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return [node.slice.value]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr", "setattr"):
        return [argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)]
    return []


def defined_by(node: ast.AST) -> list[str]:
    """The names that a piece of code gives to what is its own."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return []
    parts = [part for target in getattr(node, "targets", None) or [node.target] for part in ast.walk(target)]
    attributes = [part for part in parts if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "self"]
    return [part.id for part in parts if isinstance(part, ast.Name)] + [part.attr for part in attributes]


def private_names(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    own = {name for node in nodes for name in defined_by(node)}
    return {name for node in nodes for name in names_of(node) if is_private(name)} - own


def replaced_names() -> set[str]:
    """The private methods of other libraries' classes that classes of this project replace."""
    found, blocked = set(), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(proj.__path__, "proj.")]
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)  # sweeps/preload.py blocks those that stop a job
    for module in modules:
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__.startswith("proj."):
                others = [base for base in kind.__mro__ if not base.__module__.startswith(("proj.", "builtins"))]
                names = set().union(*map(vars, others))
                found |= {name for name in vars(kind) if is_private(name) and name in names}
    return found - {"_abc_impl", "_compiler_hooks"}  # which Python makes


def test_every_private_name_of_another_library_is_listed_in_the_design():
    listed = (SOURCE.parents[1] / "docs" / "design.md").read_text(encoding="utf-8").partition("## Private parts")[2]
    names = set().union(*map(private_names, sorted(SOURCE.rglob("*.py")))) | replaced_names()
    missing = {name for name in names if not re.search(rf"(?<![\w]){name}(?!\w)", listed)}
    assert not missing, f"docs/design.md does not list {missing} among the private parts; each takes a test here"
    rows = re.findall(r"^\| (.*?) \| (`.*?`) \|", listed, re.M)
    for file, place in ((file, file.relative_to(SOURCE).as_posix()) for file in SOURCE.rglob("*.py")):
        said = " ".join(what for what, where in rows if any(map(place.startswith, re.findall("`(.+?)`", where))))
        strange = {name for name in private_names(file) if not re.search(rf"(?<![\w]){name}(?!\w)", said)}
        assert not strange, f"docs/design.md does not say that {place} uses {strange}"
    listed_names = set(re.findall(r"(?<![\w])_[A-Za-z]\w*[A-Za-z]_?\b", listed))
    assert listed_names <= names, f"docs/design.md lists {listed_names - names}, which src/ no longer uses"


@contract("Hydra", "its options can be defined where Python looks at the help of each", "config/command_line.py")
def test_hydras_options_are_defined_also_in_python_3_14(monkeypatch):
    from hydra._internal.utils import get_args_parser

    from proj.config.command_line import accept_hydras_help

    def define_and_check(parser, *names, **settings):
        parser._check_help(action := define(parser, *names, **settings))
        return action

    define, look = argparse.ArgumentParser.add_argument, lambda parser, action: "%" in (action.help or "")
    if sys.version_info < (3, 14):  # as Python 3.14 does it
        monkeypatch.setattr(argparse.ArgumentParser, "_check_help", look, raising=False)
        monkeypatch.setattr(argparse.ArgumentParser, "add_argument", define_and_check)
    accept_hydras_help()
    assert "Hydra" in get_args_parser().description


@contract("torchmetrics", "a metric wraps its update and its compute by methods", "models/metrics.py")
def test_a_metric_counts_its_updates_without_torchmetrics_wrapper():
    from proj.models.metrics import Tally

    tally = Tally(2, by_class=False)
    for _ in range(2):
        tally.update(torch.tensor(1.0), torch.eye(2), torch.tensor([0, 1]))
    assert tally.update_count == 2 and float(tally.compute()["acc"]) == 1
    tally.update(torch.tensor(1.0), torch.eye(2), torch.tensor([1, 1]))
    assert float(tally.compute()["acc"]) == pytest.approx(5 / 6)  # and not what it has computed before


@contract("torch", "a module names the buffers that its state_dict lacks", "training/robustness/attributes.py")
def test_a_module_names_the_buffers_that_no_checkpoint_has():
    module = torch.nn.Module()
    for name, kept in (("a", True), ("b", False)):
        module.register_buffer(name, torch.ones(()), persistent=kept)
    assert module._non_persistent_buffers_set == {"b"} and module.state_dict().keys() == {"a"}


@contract("torch", "a module hands what it converts to `_apply` of each module within", "models/metrics.py")
def test_a_metric_keeps_its_kinds_of_numbers_where_its_model_is_converted():
    from proj.models.metrics import Tally

    tally = torch.nn.ModuleList([Tally(2)]).to(torch.bfloat16)[0]
    assert (tally.loss.dtype, tally.confusion.dtype) == (torch.float64, torch.long)


@contract("Lightning", "a table's writer deletes the old file in `_check_log_dir_exists`", "training/loggers.py")
def test_the_writer_of_a_table_deletes_the_one_before_in_the_method_that_is_replaced(tmp_path):
    from lightning.pytorch.loggers import CSVLogger, WandbLogger
    from lightning.pytorch.loggers.csv_logs import ExperimentWriter

    (tmp_path / "metrics.csv").write_text("step")
    logger = CSVLogger(tmp_path, name="", version="")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert logger.experiment is logger._experiment and isinstance(logger.experiment, ExperimentWriter)
    assert not (tmp_path / "metrics.csv").exists()
    assert "_check_log_dir_exists" in vars(ExperimentWriter.__bases__[0]) and logger.experiment.metrics == []
    assert "self._wandb_init" in inspect.getsource(WandbLogger.__init__)


COMMANDS = (
    "dataset=cifar10 model=cnn optimizer.lr=0.1 +callbacks.x.a=3 hydra.run.dir=x ~callbacks.progress",
    "preset=mnist_dnn trainer.max_epochs=3 ~model.dropout trainer=ddp callbacks=early_stopping",
    "hydra/launcher=joblib hydra.launcher.n_jobs=3 ~scheduler ++a.b=[1,c] logger=csv data_dir=a",
    "seed=7 hydra.job.env_copy=[PATH] hydra.job.name=mine optimizer=sgd ++seed=3 +new=${seed} model=mlp",
    "seed=1,2 optimizer=sgd,adam dataset=digits hydra/sweeper=optuna monitor=val/loss",
)


@pytest.mark.parametrize("line", COMMANDS)
@contract("hydra-core", "values applied to a merged configuration give what one command gives", "config/loader.py")
def test_values_are_applied_to_what_was_merged_as_by_hydras_own_loader(line):
    """Our loader asks Hydra where it fails itself, so that no other test would notice; nor of the tests' own speed."""
    from proj.config import loader as ours

    words, mode = line.split(), RunMode.MULTIRUN if "=1,2 " in line else RunMode.RUN
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        loader = GlobalHydra.instance().config_loader()
        whole = OmegaConf.to_yaml(loader.load_configuration("train", words, mode))
        speed.speed_up()
        for _ in range(2):  # merged, and kept
            assert OmegaConf.to_yaml(ours.load_from_merged(loader, "train", words, mode, True, True)) == whole


USES_OF_REAL_MODULES = """
import pickle, sys, threading
import proj
import torch, torchmetrics
from lightning.fabric.wrappers import OptimizedModule
from torch.utils.flop_counter import FlopCounterMode
from proj.models.metrics import Tally

asked = torch._dynamo.utils.get_optimize_ddp_mode()  # of the stand-in
from torch._dynamo.utils import is_compile_supported
assert "torch._dynamo.eval_frame" not in sys.modules

def of_settings():
    import torch._dynamo.config, torch._dynamo.trace_rules, torch._dynamo.utils
    assert torch._dynamo.utils.get_optimize_ddp_mode() == asked and is_compile_supported("cpu")
    assert torch._dynamo.utils is sys.modules["torch._dynamo.utils"] and torch._dynamo.utils.istensor
    assert torch._dynamo.trace_rules.lookup and torch._dynamo.trace_rules.clear_lru_cache() is None
    assert torch._dynamo.config is sys.modules["torch._dynamo.config"] and torch._dynamo.config.recompile_limit

def of_metrics():
    assert issubclass(Tally, torchmetrics.metric.Metric) and torchmetrics.metric.Metric is torchmetrics.Metric
    pickle.loads(pickle.dumps(torchmetrics.Accuracy(task="multiclass", num_classes=3)))

failed = []
threading.excepthook = failed.append
threads = [threading.Thread(target=use) for use in (of_settings, torch._dynamo.reset, of_metrics) * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed

network = torch.nn.Linear(2, 2)
optimizer = torch.optim.Adam(network.parameters())

@torch.compile(backend="eager")
def step(x):
    optimizer.zero_grad()
    network(x).sum().backward()
    optimizer.step()

before = network.weight.clone()
step(torch.ones(1, 2))
assert not torch.equal(before, network.weight)
compiled = torch.compile(network, backend="eager")
assert isinstance(compiled, OptimizedModule) and not isinstance(network, OptimizedModule)
figure, _ = torchmetrics.MeanMetric().plot(torch.ones(()))
assert type(figure).__module__ == "matplotlib.figure"

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.model_summary import ModelSummary
assert ModelSummary(LightningModule()).total_flops == 0
with FlopCounterMode(display=False) as counter:
    network(torch.ones(1, 2))
assert counter.get_total_flops() == 8

import torchvision.models.resnet, torchvision.ops.misc
boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]])
assert torchvision.models.resnet18 is torchvision.models.resnet.resnet18
assert "resnet18" in torchvision.models.list_models()
assert torchvision.ops.nms(boxes, torch.tensor([1.0, 0.5]), 0.5).tolist() == [0]
"""


@pytest.mark.slow  # it imports all that a short run does not
@contract("torch", "the real modules work with what others had of their stand-ins", "system/lazy_imports.py")
def test_who_compiles_or_uses_another_metric_has_the_real_modules_also_in_threads():
    command = [sys.executable, "-c", USES_OF_REAL_MODULES]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


@contract("omegaconf", "a node leads to the configuration that it is of", "config/explain.py")
def test_a_node_knows_its_root():
    config = OmegaConf.create({"optimizer": {"betas": [1, 2]}})
    assert config.optimizer.betas._get_root() is config


@contract("joblib", "its trackers of resources, once started, let no signal through again", "sweeps/grid.py")
def test_what_joblib_starts_before_its_workers_lets_signals_through_once():
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    from proj.system.processes import start_trackers

    def work() -> bool:
        start_trackers()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for tracker in (resource_tracker, of_joblib):
            tracker.getfd()  # as before each worker
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert in_child(work)


def test_this_file_is_read_whatever_a_new_version_has_renamed():
    """What is gone fails its own contract; an import at the top would take all the others along."""
    top = ast.parse(Path(__file__).read_text(encoding="utf-8")).body
    modules = {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.startswith("proj.")} == {"proj.config.compose", "proj.errors"}
    assert not [name for name in modules if re.search(r"\b_|\bexternals\b", name)]
