"""What is typed wrongly ends in one sentence; --help explains what can be typed."""

import importlib
import os
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from support.processes import program
from support.refusals import refusals

from proj.config import command_line
from proj.config.compose import CONF
from proj.config.settings.table import SETTINGS
from proj.config.unknown_setting import LEFT_OUT, MEANT, OTHER_NAMES
from proj.config.words import OF_ALL
from proj.errors import UserError
from proj.models import MLP
from proj.report import main
from proj.training.run import train


@refusals(
    ("model=cnnn", "model=cnnn does not exist. Did you mean 'cnn'? Options: cnn, iris, mlp, pretrained, tabm, "),
    ("model=conf/model/cnn", "model=conf/model/cnn does not exist. Options: cnn, "),
    ("preset=zzz", "preset=zzz does not exist. Options: arm_mnist"),
    ("optimizer.lr=abc", "optimizer.lr=abc is not a number, such as 0.03"),
    ("trainer.precision=fp16", "trainer.precision=fp16 is not auto, 32-true"),
    ("dataset.standardize=maybe", "is not true or false"),
    ("dataset=digits model.widths=3", "model.widths=3 is not a list"),
    ("trainer.max_epochs=-3", "trainer.max_epochs=-3 is not a whole number, 1 or more"),
    ("dataset=digits dataset.val_fraction=1", "val_fraction=1 is not a number above 0 and below 1"),
    ("dataset=image_folder dataset.size=0", "size=0 is not a number of pixels, such as 64, or [height,width]."),
    ("dataset=image_folder dataset.size=[64]", "dataset.size=[64] is not a number of pixels"),
    ("dataset=image_folder dataset.levels=[9,1]", "dataset.levels="),
    ("dataset=csv dataset.max_categories=0", "max_categories=0 is not a whole number, 1 or more"),
    ("dataset=csv dataset.drop=id", "dataset.drop=id is not a list: type 'dataset.drop=[id]'."),
    ("model=mlp model.hidden=(128,64)", "model.hidden=(128,64) is not a list: type 'model.hidden=[128,64]'."),
    ("data_dir=photos", "data_dir=photos names no kind of data, and dataset=iris does not read it: add dataset="),
    ("dataset=iris data_dir=t.csv", "data_dir=t.csv has no effect, since dataset=iris does not read it: leave it out"),
    ("-m dataset=digits seed=0,1 data_dir=t.csv", "data_dir=t.csv has no effect, since dataset=digits does not read"),
    ("dataset=csv dataset.target=y dataset.data_dir=a data_dir=b", "not read it: type dataset.data_dir=…, or write "),
    ("-m seed=0,1 data_dir=photos", "data_dir=photos names no kind of data, and dataset=iris does not read it"),
    ("dataset=iris model=cnn", "dataset=iris is table data: use model=iris or model=mlp"),
    ("model=mlp model.hidden=null", "model.hidden=null is not a list, such as [32, 16]"),
    ("data_dir=null", "data_dir=null is not a path"),
    ("scheduler.total_steps=-1", "scheduler.total_steps=-1 is not a whole number, 1 or more, or steps or steps/3"),
    ("scheduler=null", "scheduler=none is the empty one"),
    ("monitor=val/accuracy", "monitor=val/accuracy does not exist. Did you mean 'val/acc'? Options: train/acc"),
    ("on_nan=skip trainer.precision=16-mixed", "16-mixed already skips steps with NaN gradients"),
    ("preset=mnist_dnn dataset=iris", "preset=mnist_dnn is made for dataset=mnist model=mlp: leave it out for"),
    ("sweep=lr_mnist_mlp", "work only in a sweep: add -m"),
    ("output_dir=x", "the run's folder is hydra.run.dir="),
    ("optimizer.lr=[", "optimizer.lr=[ is not a number"),
    ("resume=nowhere", "nowhere is not the folder of a run"),
    ("model.batch_size=3", "Did you mean 'dataset.batch_size'?"),
    ("epochs=3", "Did you mean 'trainer.max_epochs'?"),
    ("model=resnet18", "model=resnet18 does not exist: give model=pretrained model.backbone=resnet18"),
    ("dataset=cifar100", "give dataset=cifar10 dataset.source._target_=torchvision.datasets.CIFAR100"),
    ("quiet=true", "There is no setting 'quiet'. Did you mean '~callbacks.progress'?"),
    ("nesterov=true", "There is no setting 'nesterov'. Options: augment, "),
    ("imgsz=64", "Did you mean 'dataset.size'?"),
    ("trainer.device=2", "Did you mean 'trainer.devices'?"),
    ("dataset.num_workers=4", "no setting 'dataset.num_workers'. Leave it out: no workers load the data."),
    ("callbacks.early_stopping.patience=3", "Did you mean 'callbacks=early_stopping'?"),
    ("-m n_trials=3", "Did you mean 'hydra/sweeper=optuna hydra.sweeper.n_trials'?"),
    ("seed = 3", "'seed' is not of the form key=value, without spaces around the =."),
    ("ä=3", "'ä' is no name of a setting"),
    ("+lr=0.1", "+lr=0.1 adds a setting that nothing reads. Did you mean 'optimizer.lr'?"),
    ("+callbacks.early_stopping.patience=3", "or callbacks=early_stopping, which names it."),
    ("model=mlp model.hidden=[3,a]", "is not a list of whole numbers, 1 or more, such as [32,16], of"),
    ("model=mlp model.hidden=[3,,4]", "'3,,4' lacks a value beside a comma"),
    ("hydra.run.dir=", "take a folder: . is the current one."),
    ("-m seed=1,2,", "'1,2,' lacks a value beside a comma"),
    ("-m optimizer.lr=interval(0.1,1)", "needs a search: add hydra/sweeper=optuna"),
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(mistake, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in mistake("proj.train", *words.split())
    assert not list(tmp_path.glob("outputs/*/*/*"))


def test_what_is_suggested_for_other_programs_settings_exists():
    elsewhere = "resume dataset.target model.loss model.weights callbacks.early_stopping.patience hydra.run.dir"
    known = {*SETTINGS, *OF_ALL, *elsewhere.split(), "hydra.launcher.n_jobs", "hydra.sweeper.n_trials", "-m"}
    words = [word.split("=") for meant in MEANT for word in meant.replace(" or ", " ").split()]
    assert {setting.removeprefix("~") for setting, *_ in words} <= known
    options = [(group, *option) for group, *option in words if group in OF_ALL and option and option != ["joblib"]]
    assert [option for option in options if not Path(CONF, *option).with_suffix(".yaml").is_file()] == []
    assert len(" ".join(MEANT.values()).split()) == len(OTHER_NAMES) and not OTHER_NAMES.keys() & LEFT_OUT.keys()


def test_a_run_that_stopped_while_its_data_was_read_is_started_again_with_its_command(mistake, tmp_path):
    (tmp_path / "run" / ".hydra").mkdir(parents=True)  # as a run leaves it that is killed then
    said = mistake("proj.train", f"resume={tmp_path / 'run'}")
    assert "is of a run that stopped before its training began: start it with its command again." in said


def test_a_run_without_its_configuration_is_told_to_put_it_back_or_to_repeat_its_command(trained, tmp_path, mistake):
    run = shutil.copytree(trained(), tmp_path / "run")
    (run / "config.yaml").rename(tmp_path / "config.yaml")
    said = mistake("proj.train", f"resume={run}")
    assert f"there is no file {run / 'config.yaml'}: put it back, or start the run with its command again" in said


def test_what_the_command_refuses_ends_with_exit_code_1(command):
    process = command("-m", "proj.train", "optimizer.lrr=1")
    assert process.returncode == 1 and "Did you mean" in process.stderr
    assert len(process.stderr.splitlines()) == 1


@pytest.mark.parametrize("typed", ("fötos", "it's", "photos (1)", "a=b", "with space", "back\\slash", "'quoted é'"))
def test_a_path_of_any_characters_can_be_typed(mistake, tmp_path, monkeypatch, typed):
    monkeypatch.chdir(tmp_path)
    said = mistake("proj.train", "dataset=image_folder", f"data_dir={typed}")
    name = "quoted é" if "quoted" in typed else typed
    assert f"{tmp_path}/{name} cannot be read (No such file or directory)" in said


def test_data_in_the_place_of_a_dataset_is_answered_with_the_words_that_train_on_it(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    (tmp_path / "t.csv").touch()
    photos = "give dataset=image_folder 'data_dir=my photos'"
    for typed, cure in (("my photos", photos), ("t.csv", "give dataset=csv data_dir=t.csv")):
        assert f"dataset={typed} names no kind of data: {cure}" in mistake("proj.train", f"dataset={typed}")
    assert f"give dataset=csv data_dir={tmp_path}/t.csv" in mistake("proj.train", f"dataset={tmp_path}/t.csv")


def test_a_folder_of_options_that_is_not_there_is_named(mistake):
    assert mistake("proj.train", "--config-dir=confg").endswith("/confg: there is no such folder.")


def test_an_option_in_a_folder_of_ones_own_is_named_with_the_option_that_reads_it(mistake):
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/linear.yaml").write_text("_target_: linear.Linear\n")
    assert "is in conf/model/linear.yaml, a folder that is only read with --config-dir=conf" in mistake(
        "proj.train", "dataset=iris", "model=linear"
    )


def test_a_class_that_cannot_be_loaded_is_named_with_the_reason(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("class Mine(nn.Module):\n    pass\n")
    for target, reason in (("broken.Mine", "name 'nn' is not defined"), ("nowhere.Mine", "No module named 'nowhere'")):
        said = mistake("proj.train", "model=mlp", f"model._target_={target}")
        assert f"model._target_={target} cannot be imported ({reason}" in said
    assert said.endswith("in the folder where the command is started, and among the installed packages.")
    (tmp_path / "whole.py").write_text("class Mine: pass\n")
    said = mistake("proj.train", "model=mlp", "model.loss._target_=whole.Mien")
    assert "model.loss._target_=whole.Mien cannot be imported (module 'whole' has no" in said
    assert said.endswith("Did you mean 'Mine'? Options: Mine.")


class Mine(MLP):
    """A model of one's own, which measures what all do."""


@pytest.mark.parametrize("callbacks", ("default", "early_stopping"))
def test_a_metric_that_a_model_of_ones_own_does_not_have_is_one_sentence(mistake, tmp_path, monkeypatch, callbacks):
    monkeypatch.chdir(tmp_path)
    words = ("model=mlp", f"model._target_={__name__}.Mine", "monitor=val/f1", "trainer.max_epochs=1")
    said = mistake("proj.train", *words, "~callbacks.progress", f"callbacks={callbacks}")
    assert "monitor=val/f1 does not exist. Did you mean" in said


def test_a_gpu_that_is_not_there_is_one_sentence(configure, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="use trainer=cpu"):
        train(configure("trainer=gpu"))


def test_a_working_folder_that_is_gone_is_one_sentence(mistake, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for module, word in (("proj.train", "seed=1"), ("proj.evaluate", "run=x"), ("proj.sweep", "resume=x")):
        assert "the folder in which this command was started is no longer there" in mistake(module, word)


def test_full_error_lets_no_run_begin_that_the_checks_refuse(command, tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "PROJ_FULL_ERROR"} | {"HYDRA_FULL_ERROR": "1"}
    process = command("-m", "proj.train", "scheduler=step", "scheduler.gamma=-1", env=env, fresh=True)
    assert process.returncode == 1 and "Traceback" in process.stderr
    assert not list(tmp_path.iterdir())


def test_help_names_every_group_and_option_in_80_columns(command):
    text = command("-m", "proj.train", "--help").stdout
    pairs = {"dataset_model", "dataset_model_optimizer"}
    groups = {folder.name for folder in CONF.iterdir() if folder.is_dir()} - pairs - {"hydra"}
    for group in groups:
        assert group in text
        for file in (CONF / group).glob("*.yaml"):
            assert file.stem in text, file
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ("evaluate", "predict", "export", "report", "sweep", "config.schema"))
def test_help_explains_every_option_of_a_command_in_80_columns(name):
    module = importlib.import_module(f"proj.{name}")
    for option in getattr(module, "WORDS", getattr(module, "OPTIONS", ())):
        assert f"{option.replace('config_dir', '--config-dir')}=" in module.__doc__
    assert f"python -m proj.{name} " in module.__doc__ and max(map(len, module.__doc__.splitlines())) <= 80


def test_the_package_itself_names_its_commands(command):
    process = command("-m", "proj", "classify", fresh=True)
    named = re.findall(r"proj\.(\w+)", process.stderr)
    assert process.returncode == 1 and {"train", "evaluate", "predict", "export", "report", "sweep"} == {*named}
    assert all(hasattr(importlib.import_module(f"proj.{name}"), "main") for name in named)


def test_a_command_that_is_misspelt_or_stands_apart_is_told_as_it_is_typed(monkeypatch):
    for words in (["trian", "data_dir=my set"], ["proj.train", "data_dir=my set"]):
        monkeypatch.setattr("sys.argv", ["proj", *words])
        with pytest.raises(SystemExit, match=r"type python -m proj\.train 'data_dir=my set'$"):
            importlib.import_module("proj.__main__").main()


def test_the_versions_are_told_without_an_installation_too(monkeypatch, capsys):
    def version(name: str) -> str:
        if name == "proj":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(command_line, "version", version)
    monkeypatch.setattr(sys, "argv", ["report", "--version"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert capsys.readouterr().out == "proj (not installed), hydra-core 1.0, lightning 1.0, torch 1.0\n"


def test_a_file_that_hides_pythons_own_module_is_named(tmp_path):
    (tmp_path / "random.py").write_text("x = 1\n")
    process = program(tmp_path, "-m", "proj.train", "--help")
    assert process.returncode == 1 and not process.stdout
    assert process.stderr == "error: random.py in this folder hides Python's own module of that name: rename it.\n"
    (tmp_path / "random.py").write_text("raise TypeError(\"an error of its own, in 'random'\")\n")
    said = program(tmp_path, "-m", "proj.train", "--help").stderr
    assert said.startswith("Traceback") and said.endswith("TypeError: an error of its own, in 'random'\n")


def test_a_file_that_hides_an_installed_package_is_named(tmp_path):
    sentence = "error: {}.py in this folder hides the installed module of that name: rename it.\n"
    (tmp_path / "omegaconf.py").write_text("x = 1\n")
    assert program(tmp_path, "-m", "proj.train", "--help").stderr == sentence.format("omegaconf")
    (tmp_path / "omegaconf.py").unlink()
    (tmp_path / "yaml.py").write_text("def __getattr__(name):\n    return None\n")
    said = program(tmp_path, "-m", "proj.train", "--help").stderr  # the error does not name it
    assert said.startswith("Traceback") and said.endswith(sentence.format("yaml"))


def test_help_a_configuration_and_what_is_refused_import_nothing_heavy(command, tmp_path):
    (tmp_path / "own.py").write_text("from proj.models import CNN\n\n\nclass Net(CNN):\n    pass\n")
    heavy = "torch", "lightning", "torchvision", "torchmetrics", "sklearn", "tensorboard", "numpy", "PIL", "optuna"
    code = (
        "import sys\nfrom proj.train import main\n"
        "for words in ('--help', 'optimizer.lrr=1', '--cfg job', 'dataset=iris model=cnn model._target_=own.Net'):\n"
        "    sys.argv[1:] = words.split()\n    try: main()\n    except SystemExit as stop: print(stop)\n"
        f"    found = set({heavy}) & set(sys.modules)\n    assert not found, (words, found)"
    )
    process = command("-c", code)
    assert process.returncode == 0 and "dataset:" in process.stdout, process.stderr
    assert "takes image data, and dataset=iris is table data: use model=iris or model=mlp or model=" in process.stdout


def test_console_script_completes_options(command):
    script = Path(os.sys.executable).parent / "proj-train"
    env = {**os.environ, "COMP_LINE": "proj-train dataset=fas", "COMP_POINT": "22"}
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    process = command("-c", code, "-sc", "query=bash", env=env)
    assert "dataset=fashion_mnist" in process.stdout


def test_help_without_docstrings_names_the_option_that_leaves_them_out(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["predict", "--help"])
    with pytest.raises(SystemExit, match="0"):
        command_line.words_or_help(None)
    assert "python -OO" in capsys.readouterr().out
