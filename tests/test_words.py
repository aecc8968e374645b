"""What people type is taken as they mean it, or refused in one sentence that says what to type."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError
from support.refusals import refusals
from support.sweeps import refused, run

from proj.checkpoint.file import load_model
from proj.config.check_values import NAMES
from proj.config.command_line import read_options
from proj.config.compose import CONF, configure
from proj.config.explain import sentences
from proj.config.flags import flags_and_settings
from proj.config.instantiate import build
from proj.config.words import as_hydra_reads, parsed
from proj.errors import UserError
from proj.models import MLP, WhitenedCNN
from proj.sweeps.rehearsal import rehearse
from proj.system.names import wrapped
from proj.system.processes import fit_to_processes
from proj.system.ranks import RANKS, SRUN, TORCHRUN, check_environment, launched_processes, rank
from proj.system.shell import as_command, local_path
from proj.training.run import train
from proj.use.data import open_data
from proj.use.evaluation import evaluate
from proj.use.export import export
from proj.use.prediction import predict


def read(word: str) -> list:
    """The values that Hydra understands of a word of a sweep's command."""
    override = OverridesParser.create().parse_override(as_hydra_reads(word, several=True))
    if not override.is_sweep_override():
        return [override.value()]
    words = [f"{override.key_or_group}={value}" for value in override.sweep_string_iterator()]
    return [one.value() for one in OverridesParser.create().parse_overrides(words)]


@pytest.mark.parametrize(
    ("word", "values"),
    (
        ("data_dir=a.csv,ä.csv", ["a.csv", "ä.csv"]),
        ("data_dir=a.csv, b (1).csv", ["a.csv", "b (1).csv"]),
        ("data_dir=it's.csv,a.csv", ["it's.csv", "a.csv"]),
        ("data_dir='a, b.csv',ä", ["a, b.csv", "ä"]),
        ("data_dir=2024,1e3,true", ["2024", "1e3", "true"]),
        (r"data_dir=\\server\a,\\server\b", [r"\\server\a", r"\\server\b"]),  # of Windows
        ("data_dir=interval(1 to 2)", ["interval(1 to 2)"]),
        ("logger.wandb.notes=tag(log it) as before", ["tag(log it) as before"]),
        ("data_dir=choice(ä.csv,b.csv)", ["ä.csv", "b.csv"]),
        ("dataset.target=größe,breite", ["größe", "breite"]),
        ("dataset.drop=[größe],[len (cm),a],[]", [["größe"], ["len (cm)", "a"], []]),
        ("dataset.drop=[col'x,größe]", [["col'x", "größe"]]),
        ("dataset.drop=[c[0],x[mm]]", [["c[0]", "x[mm]"]]),
        ("optimizer.lr=tag(log,interval(1e-4,1e-1))", None),
        ("model.hidden=[128],[256,128]", [[128], [256, 128]]),
        ("seed=1,2", [1, 2]),
        ("model.weights=0.5,2", [0.5, 2]),  # of a model of one's own
        ("dataset.weights=0.5,2", [0.5, 2]),
        ("model.weights=~/a.pth,default", [f"{Path.home()}/a.pth", "default"]),
        ("optimizer.weight_decay=0,5", [0, 5]),
    ),
)
def test_each_of_several_values_is_taken_as_it_is_typed(word, values):
    assert as_hydra_reads(word, several=True) == word if values is None else read(word) == values


def test_a_folder_in_whose_name_hydra_would_look_a_setting_up_is_one_sentence(tmp_path, monkeypatch, mistake):
    (tmp_path / "a${home}b").mkdir()
    monkeypatch.chdir(tmp_path)
    said = mistake("proj.train", "dataset=csv", "data_dir=a${home}b", "dataset.target=y")
    assert said == "error: data_dir=a${home}b has ${…} in its name, which Hydra takes for a setting: rename it."
    monkeypatch.chdir(tmp_path / "a${home}b")
    assert "Hydra takes ${…} in the name of " in mistake("proj.train")


def test_a_sweep_over_names_with_accents_says_a_command_that_a_shell_and_the_program_take(tmp_path):
    files = ["ä b.csv", "it's.csv"]
    for file in files:
        (tmp_path / file).write_text("y\n")
    said = run(tmp_path, "sweep_name=s", f"data_dir={','.join(files)}", "dataset=csv", "dataset.target=y")
    assert len(list(tmp_path.glob("outputs/sweeps/s/*/metrics.json"))) == 2
    advice = said.partition("The best again: ")[2].splitlines()[0]
    shell = subprocess.run(["bash", "-c", f"printf '%s\\n' {advice}"], capture_output=True, text=True).stdout
    words = shell.splitlines()[3:]
    assert words == shlex.split(advice)[3:]
    assert Path(configure(*words).data_dir).name in files


def test_a_folder_may_have_commas_in_its_name_and_what_a_sweep_has_one_of_takes_one_value(tmp_path):
    run(tmp_path, "hydra.sweep.dir=ü, [1],b", "seed=1,2")
    assert (tmp_path / "ü, [1],b/sweep.yaml").is_file()
    assert configure("hydra.run.dir=a,b").output_dir == "a,b"
    for word in ("sweep_name=a,b", "log=line,full"):
        assert f"{word}: all jobs of a sweep have the same" in refused(tmp_path, word, "seed=1")


def test_a_blank_at_the_end_of_a_path_that_is_there_is_kept(tmp_path, monkeypatch):
    (tmp_path / "x ").mkdir()
    monkeypatch.chdir(tmp_path)
    assert configure("hydra.run.dir=x ").output_dir == "x "


def test_what_is_advised_for_several_values_without_a_sweep_is_taken(mistake):
    said = mistake("proj.train", "dataset=csv", "dataset.target=a,b")
    listed, text = (shlex.split(said.partition(start)[2])[0] for start in ("or type ", "(a list) or "))
    assert "add -m to sweep" in said
    assert configure("dataset=csv", listed).dataset.target == ["a", "b"]
    assert configure("dataset=csv", text.rstrip(".")).dataset.target == "a,b"


def test_an_option_or_a_sweep_that_is_named_by_a_number_has_a_name():
    for word in ("dataset=2024", "sweep_name=2024"):
        assert parsed(as_hydra_reads(word)).value() == "2024"
    assert read("dataset=iris,2024") == ["iris", "2024"]


def test_an_option_that_is_named_by_its_file_is_that_option():
    words = ("trainer.max_epochs=3", "hydra.run.dir=unused")
    assert configure("dataset=digits.yaml", "model=mlp.yaml", *words) == configure(
        "dataset=digits", "model=mlp", *words
    )
    assert read("model=mlp.yaml,cnn") == ["mlp", "cnn"]


def test_an_option_of_a_command_is_typed_without_dashes(mistake):
    for module in ("proj.evaluate", "proj.predict", "proj.export"):
        assert "an option is typed without dashes: run=x" in mistake(module, "--run=x")
    assert "without dashes: output=x" in mistake("proj.report", "--output=x", "outputs")
    assert "without dashes: resume=x" in mistake("proj.sweep", "--resume=x")


def test_signs_that_nobody_types_are_told_and_a_file_may_have_them_in_its_name(mistake):
    assert "begins with a long dash, as documents have it: type -m" in mistake("proj.train", "\u2013m", "seed=1,2")
    said = mistake("proj.predict", "ckpt=best.ckpt\xa0input=photos")
    assert "a space that separates no words is before input=photos, as documents have it: type it anew." in said
    assert "dataset=iris ends in a carriage return: save the script" in mistake("proj.train", "dataset=iris\r")
    assert "there is no checkpoint 10\u202fPM.ckpt" in mistake("proj.evaluate", "ckpt=10\u202fPM.ckpt")


def test_a_sweep_compares_runs_with_and_without_a_preset(tmp_path):
    run(tmp_path, "sweep_name=s", "preset=none,iris_tutorial", "dataset=iris", "trainer.max_epochs=1")
    first, second = (OmegaConf.load(file) for file in sorted(tmp_path.glob("outputs/sweeps/s/*/config.yaml")))
    assert first.optimizer == configure("dataset=iris").optimizer != second.optimizer


def test_flags_may_stand_anywhere():
    words = ["dataset=wine", "-cd", "conf", "-m", "seed=1,2", "--config-name=mine", "model=mlp"]
    flags, settings = flags_and_settings(words)
    assert flags == ["--config-dir=conf", "--multirun", "--config-name=mine"]
    assert settings == ["dataset=wine", "seed=1,2", "model=mlp"]
    assert flags_and_settings(["--info", "searchpath", "seed=1"]) == (["--info=searchpath"], ["seed=1"])
    assert flags_and_settings(["--info", "seed=1"]) == (["--info=all"], ["seed=1"])
    for wrong, sentence in ((["--confg-dir=x"], "Did you mean '--config-dir'"), (["-cp", "x"], "--config-dir=x adds")):
        with pytest.raises(UserError, match=sentence):
            flags_and_settings(wrong)


@pytest.mark.parametrize(("typed", "meant"), (("~/x", "home/x"), ("2024", "2024"), ("data", "data"), ("~", "home")))
def test_a_path_is_a_path_and_absolute_when_the_run_is_made(tmp_path, monkeypatch, typed, meant):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = configure("dataset=csv", f"data_dir={typed}", f"hydra.run.dir={typed}")
    assert found.data_dir == found.dataset.data_dir == str(tmp_path / meant)
    assert Path(found.output_dir).absolute() == tmp_path / meant
    monkeypatch.setenv("PROJ_DATA_DIR", typed)
    assert configure("dataset=csv").dataset.data_dir == str(tmp_path / meant)


def test_folders_of_runs_and_sweeps_may_lie_at_home(tmp_path, monkeypatch, mistake):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    run(tmp_path, "hydra.sweep.dir=~/s", "seed=1")
    assert (tmp_path / "home" / "s" / "sweep.yaml").is_file()
    run(tmp_path, "resume=~/s", module="sweep")
    run(tmp_path, "~/s", "output=~/report", module="report")
    assert (tmp_path / "home" / "report" / "report.html").is_file() and not (tmp_path / "~").exists()
    assert "is the folder of a sweep: python -m proj.sweep" in mistake("proj.train", "resume=~/s")


@refusals(
    ("hydra.job.chdir=true", "hydra.job.chdir is set by this program"),
    ("dataset_model=foo", "dataset_model follows from dataset, model and optimizer: leave dataset_model=foo out"),
    ("dataset_model_optimizer=foo", "follows from dataset, model and optimizer"),
    ("hydra/launcher=joblib", "hydra/launcher=joblib works only in a sweep: add -m"),
    ("isolate=true", "isolate=true works only in a sweep: add -m"),
    ("-m hydra.run.dir=x", "a sweep's folder is hydra.sweep.dir="),
    ("-m hydra.output_subdir=x", "job.yaml"),
    ("choices.model=x", "model=mlp, dataset=digits"),
    ("+trainer.plugins=null", "trainer.plugins is set by this program"),
    ("+trainer.max_epoch=3", "There is no setting 'trainer.max_epoch'. Did you mean 'trainer.max_epochs'?"),
    ("trainer.gradient_clip=3", "no setting 'trainer.gradient_clip'. Did you mean 'trainer.gradient_clip_val'?"),
    ("-m trainer.fast_dev_run=true seed=1,2", "leaves no result that a sweep could compare"),
    ("++callbacks.best.dirpath=x", "hydra.run.dir=path/to/folder"),
    ("hydra.run.dir=file", "file is a file where a folder is needed"),
    ("hydra.run.dir=file/x", "file is a file where a folder is needed"),
    ("hydra.run.dir=/proc/x", "/proc/x cannot be made: choose another folder"),
    ("-m hydra.sweep.dir=/proc/x", "/proc/x cannot be made: choose another folder"),
    ("hydra.run.dir=\udcff", "has letters that the locale does not know"),
    ("seed=4294967296", "seed=4294967296 is not a whole number, 0 to 4294967295"),
    ("trainer.accumulate_grad_batches=99999999999999999999", "is not a whole number"),
    ("trainer._target_=null", "trainer._target_=null is no class"),
    ("optimizer._target_=abc", "optimizer._target_=abc is no class"),
    ("callbacks.best._target_=[a,1]", "is no class"),
    ("-m model=mlp model.activation=ReLU,[ReLU,x]", "model.activation=x does not exist"),
    ("-m dataset.batch_size=range(5,1)", "give the smaller end first"),
    ("-m hydra.launcher=joblib seed=1", "which takes a slash: hydra/launcher=joblib"),
    ("-m optimizer.lr=glob(*)", "optimizer.lr=glob(*) has no value: name some."),
    ("+dataset.num_workers=4", "no setting 'dataset.num_workers'. Options: batch_size, fold"),
    ("+optimizer.foo=3", "lr, maximize, weight_decay."),  # and not params, which the program gives
    ("+model.loss.label_smothing=0.1", "Did you mean 'model.loss.label_smoothing'?"),
    ("~model", "~model cannot be left out: every run has one, and model=… names another."),
    ("~modle.dropout", "~modle.dropout leaves out something that does not exist. Did you mean 'model.dropout'?"),
    ("-m optimizer.lr=interval(0.1,0.2),0.5", "lr=interval(0.1,0.2),0.5 has a range or an interval beside"),
    ("-m hydra/launcher=joblib hydra.launcher.n_jobs=two seed=1,2", "hydra.launcher.n_jobs=two is not a whole number."),
    ("-m hydra/launcher=joblib hydra.launcher.backend=foo seed=1,2", "joblib's launcher always starts processes"),
    (
        "-m hydra/launcher=joblib hydra.launcher.n_jobs=0 seed=1,2",
        "hydra.launcher.n_jobs=0 is not a number of jobs, such as 2, or -1",
    ),
    ("~scheduler=onecycle", "cannot be left out: type scheduler=none."),
    ("~seed", "~seed cannot be left out: every run has it, and seed=… gives it another value."),
    ("~trainer.max_epochs", "trainer.max_epochs=… gives it another value."),
    ("~tracer.seed", "~tracer.seed leaves out something that does not exist. Did you mean 'dataset.seed'?"),
    ("modle=mlp", "Did you mean 'model'?"),
    ("resum=outputs/iris", "There is no setting 'resum'. Did you mean 'resume'?"),
    ('seed="3"', "seed='3', a text, is not a number"),
    ("--resolve", "--resolve changes what --cfg=job shows: add that"),
    ("--package foo", "--package changes what --cfg=job shows: add that"),
    ("+seed=3", "+seed=3 adds a setting that is there already: type seed=3 without the plus."),
    ("hydra.run.dir=null", "hydra.run.dir=null gives it no value"),
    ("hydra.run.dir=[a]", "hydra.run.dir=['a'] is not a text: leave the brackets out."),
    ("hydra.run=a", "hydra.run holds several settings: name one of them"),
    ("hydra.job_logging=a", "hydra.job_logging holds several settings: name one of them"),
    ("choices=[a]", "choices holds several settings: name one of them"),
    ("~hydra.run", "~hydra.run cannot be left out"),
    ("hydra.verbose=3", "hydra.verbose takes true, false, or the names"),
    ("output_dir=null", "the run's folder is hydra.run.dir=path/to/folder"),
    ("choices=null", "choices is set by this program"),
    ("-m sweep_name=[a] seed=1,2", "sweep_name=['a'] is not a name"),
    ("-m hydra/sweeper=optuna optimizer.lr=interval(nan,1)", "no range to search: both ends are finite numbers."),
    ("-m hydra/sweeper=optuna optimizer.lr=tag(log,interval(0,1))", "on a logarithmic scale both ends are above 0."),
    ("-m hydra/sweeper=optuna optimizer.lr=tag(lg,interval(1,2))", "has a tag lg that nothing reads: log is that of a"),
    ("trust=linear", "trust=… works only with resume=<folder>, and for a sweep that goes on: leave it out."),
    ("monitor=null", "monitor=null does not exist. Options"),
    ("balance=true", "balance=true is not none, loss or sampling"),
    ("-m --cfg job seed=1,2", "--multirun and --cfg=job are two ways"),
    ("--info --cfg job", "are two ways to call this program: leave one of them out"),
    ("--cfg jobs", "--cfg=jobs does not exist. Did you mean 'job'?"),
    ("--shell-completion", "takes install=bash"),
    ("--config-dir", "--config-dir takes a value"),
    ("-m optimizer=adam,sdg", "optimizer=sdg does not exist. Did you mean 'sgd'?"),
    ("-m optimizer.lrr=1,2", "There is no setting 'optimizer.lrr'. Did you mean 'optimizer.lr'?"),
    ("-m seed=1,2 optimizer.lr=0.1,x", "optimizer.lr=x is not a number"),
    ("-m dataset=iris,digits model=mlp,iris", "dataset=digits is image data: use model=cnn or model=mlp"),
    ("-m sweep_name=a/b seed=1,2", "sweep_name=a/b is not a name of letters"),
    ("-m hydra/sweeper=optuna optimizer.lr=interval(-1,1)", "optimizer.lr=-1.0 is not a number above 0"),
    ("-m hydra/sweeper=optuna model=mlp,cnn", "use model=iris or model=mlp"),
    ("--config-name=foo", "--config-name=foo does not exist. Options: train."),
    ("--max-epochs", "a setting is typed without dashes: trainer.max_epochs=…"),
    ("--seed=3", "a setting is typed without dashes: seed=3"),
    ("--resume=run", "an option is typed without dashes: resume=run"),
    ("dataset=[iris,digits]", "dataset=[iris,digits] is a list, and a run has one dataset: give one word"),
    ("-m dataset=[iris,digits],iris", "is a list, and a run has one dataset"),
    ("callbacks=[]", "callbacks=[] names no option of callbacks: give one word"),
    ("logger=[csv,3]", "logger=[csv,3] names no option of logger"),
    ("logger=3", "logger=3 does not exist. Options: csv, mlflow, none"),
    ("-m model=range(1,3)", "model=range(1,3) names no option of model"),
    ("hydra/callbacks=null", "hydra/callbacks=null would leave out the checks of this program"),
    ("~hydra/callbacks", "would leave out the checks of this program: leave that word out."),
    ("-m ~hydra.callbacks.check", "would leave out the checks of this program"),
    ("hydra/job_logging=null", "a group of options cannot be null or a number: name one"),
    ("preset=null", "preset=null names no option of preset: preset=none is the empty one"),
    ("model=mlp model.hidden=[3,4", "has one bracket of two: a list is typed as model.hidden=[3,4]."),
    ("optimizer.lr=0,01", "gives several values: type optimizer.lr=0.01, or add -m to sweep over them."),
    ("optimizer=adam,sgd", "optimizer=adam,sgd gives several values: add -m to sweep over them, or choose one."),
    ("seed=1,2", "seed=1,2 gives several values: add -m to sweep over them, or choose one."),  # a seed is no list
    ("-m optimizer.lr=0,01", "optimizer.lr=0,01 has a decimal comma, but commas separate values here: type opti"),
    ("-m optimizer.weight_decay=0,05,0,1", "has a decimal comma, but commas separate values here: type optimizer.we"),
    ("-m model=mlp model.dropout=0,5", "separate values here: type model.dropout=0.5"),
    ("-m optimizer.lr=0.01,1e-2", "optimizer.lr=0.01,1e-2 has 0.01 twice: leave one out."),
    ("-m optimizer.lr=1,1.0", "optimizer.lr=1,1.0 has 1.0 twice: leave one out."),
    ("-m hydra/sweeper=optuna optimizer.lr=1,1.0", "optimizer.lr=1,1.0 has 1.0 twice: leave one out."),
    ("-m +trainer.limit_train_batches=0.5,1", "has 1, which is a single batch here: 1.0 is the share of all batches."),
    ("-m seed=range(1,3,0)", "seed=range(1,3,0) has no end: give both ends and a step, as in range(1,5,2)."),
    ("-m optimizer.lr=range(0.1,inf)", "optimizer.lr=range(0.1,inf) has no end: give both ends and a step"),
    ("optimizer.lr=inf", "optimizer.lr=inf is not finite: give a number above 0."),
    ("scheduler=plateau +scheduler.min_lr=-0.1", "scheduler.min_lr=-0.1 is not a number, 0 or more."),
    ("scheduler=none +scheduler.foo=3", "scheduler.foo has no effect, since scheduler names no class"),
    ("scheduler=none scheduler.gamma=3", "There is no setting 'scheduler.gamma', since scheduler names no class"),
    ("optimzer.lr=1", "There is no setting 'optimzer.lr'. Did you mean 'optimizer.lr'?"),
    ("data=table.csv", "There is no setting 'data'. Did you mean 'dataset or data_dir'?"),
    ("dataset=csv target=species", "There is no setting 'target'. Did you mean 'dataset.target'?"),
    ("model.los.weight=1", "Did you mean '+model.loss.weight'?"),
    ("+optimzer.lr=1", "+optimzer.lr=1 adds a setting that nothing reads. Did you mean 'optimizer.lr'?"),
    ("augment.crop=0.5", "With another augment=… there is 'dataset.augment.crop'."),
    ("optimizer.betas=[0.9]", "optimizer.betas=[0.9] is not a list of 2, each a number."),
    ("+scheduler.epochs=3", "scheduler.epochs has no effect beside scheduler.total_steps=steps: leave it out"),
    ("~optimizer.lr", "scheduler.max_lr refers to optimizer.lr, which is missing: give +optimizer.lr=…"),
    ("seed=${oc.env:NOT_SET}", "seed refers to the environment variable NOT_SET, which is not set: set it, or name"),
    ("seed=${oc.environ:X}", "seed refers to ${oc.environ:…}, and there is only ${oc.env:…}"),
    ("optimizer.lr=${optimizer.lr}", "optimizer.lr refers to itself: give it a value"),
    ("dataset=${oc.env:PROJ_NOT_SET}", "the option of a group cannot be a reference (${…}): type its name"),
    ("+callbacks.x._target_=lightning.pytorch.callbacks.StochasticWeightAveraging", "these runs: callbacks=average"),
    ("+callbacks.x._target_=lightning.pytorch.callbacks.LearningRateFinder", "does not suit these runs: a search"),
    ("+callbacks.x._target_=lightning.pytorch.callbacks.BatchSizeFinder", "add scheduler=none, or leave it out"),
    ("+callbacks.bar._target_=lightning.pytorch.callbacks.RichProgressBar", "add '~callbacks.progress'"),
    ("+seeds=3", "+seeds=3 adds a setting that nothing reads. Did you mean '-m seed=1,2,3'?"),
    ("seeds=3", "There is no setting 'seeds'. Did you mean '-m seed=1,2,3'?"),
    (
        "-m hydra/sweeper=optuna hydra.sweeper.direction=minimize",
        "There is no setting 'hydra.sweeper.direction'. Did you mean 'monitor or mode'?",
    ),
    ("run=folder", "There is no setting 'run'. Did you mean 'resume'?"),
    ("outputs=x", "There is no setting 'outputs'. Did you mean 'hydra.run.dir'?"),
    ("batch=32", "Did you mean 'dataset.batch_size'?"),
    ("gpu=1", "Did you mean 'trainer=gpu'?"),
    ("device=cpu", "Did you mean 'trainer=gpu or trainer=cpu'?"),
    ("name=x", "Did you mean 'hydra.run.dir'?"),
    ("model.name=cnn", "Did you mean 'model'?"),
    ("net=cnn", "Did you mean 'model'?"),
    ("num_epochs=5", "Did you mean 'trainer.max_epochs'?"),
    ("target=y", "Did you mean 'dataset=csv dataset.target'?"),
    ("augment.flip=true", "There is no setting 'augment.flip'. With another dataset=… there is 'dataset.flip'."),
    ("qqq=1", "Options: augment, balance, callbacks, compile, data_dir, dataset, fast_loop, isolate, log, logger,"),
    ("run.dir=folder", "There is no setting 'run.dir'. Did you mean 'hydra.run.dir'?"),
    ("model=mlp model.activation=null", "model.activation=null does not exist. Options: ELU, GELU, "),
    ("optimizer.betas.x=1", "a list is given as a whole, such as optimizer.betas=[0.9,0.99]"),
    ("~optimizer.betas.0", "a list is given as a whole, such as optimizer.betas=[0.9,0.99]"),
    ("--experimental-rerun=x", "there is no flag --experimental-rerun"),
)
def test_what_would_change_nothing_or_cannot_work_is_refused_first(mistake, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert sentence in mistake("proj.train", *words.split())
    assert [path.name for path in tmp_path.iterdir() if path.name != "outputs"] == ["file"]
    assert not list(tmp_path.glob("outputs/sweeps/*"))


def test_a_search_says_what_it_chooses_that_is_no_merit_and_what_has_no_effect(tmp_path):
    words = ("hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=4", "seed=1,2", "dataset=iris,digits", "model=mlp")
    said = run(tmp_path, "hydra/sweeper=optuna", *words)
    for sentence in ("only have a lucky seed", "one on the easiest data", "n_jobs has no effect without a launcher"):
        assert sentence in said


@refusals(
    ("hydra.sweeper.n_trials=0", "n_trials=0 is not a whole number, 1 or more"),
    ("hydra.sweeper.sampler._target_=optuna.samplers.BruteForceSampler", "leave hydra/sweeper=optuna out"),
    ("hydra.sweeper.sampler._target_=optuna.samplers.NoSampler", "cannot search here"),
    ("+hydra.sweeper.sampler.wrong=1", "cannot search here"),
    ("hydra.sweeper.sampler=tpe", "sampler._target_=optuna.samplers.<name>. Did you mean 'TPESampler'?"),
    ("hydra.sweeper.pruner=null", "pruner._target_=optuna.pruners.<name>."),
    ("optimizer.lr=0.1", "all trials would be the same: give an interval to search"),
    ("dataset.batch_size=interval(5,1)", "give the smaller end first"),
    ("model.dropout=uniform(0,0.5)", "A search takes model.dropout=interval(0.1,1), on a logarithmic scale"),
    ("optimizer.lr=interval(0,001,0,1)", "A search takes optimizer.lr=interval(0.1,1), on a logarithmic scale"),
    ("optimizer.lr=tag(log,interval(1e-4;1e-1))", "optimizer.lr=tag(log,interval(0.1,1))"),
    ("optimizer.weight_decay=loguniform(1e-5,1e-1)", "optimizer.weight_decay=tag(log,interval(0.1,1))"),
    ("model.activation=relu,gelu", "model.activation=relu does not exist"),
)
def test_a_search_refuses_what_it_cannot_do_before_its_first_trial(tmp_path, monkeypatch, mistake, words, sentence):
    monkeypatch.chdir(tmp_path)
    search = ("-m", "sweep_name=s", "hydra/sweeper=optuna", "optimizer.lr=interval(0.01,0.1)", "model=mlp")
    assert sentence in mistake("proj.train", *search, words)
    assert not (tmp_path / "outputs" / "sweeps" / "s" / "sweep.yaml").exists()


@refusals(
    (
        "optimizer=sgd optimizer.nesterov=true optimizer.momentum=0.9,0 scheduler=none",
        "the job with seed=1 optimizer.momentum=0 would fail: the optimizer does not take its settings: Nesterov",
    ),
    ("scheduler._target_=torch.optim.lr_scheduler.StepLR", "StepLR has no max_lr, total_steps, pct_start"),
    ("model.loss._target_=nowhere.Loss", "model.loss._target_=nowhere.Loss cannot be imported"),
    ("dataset._target_=nowhere.Data", "dataset._target_=nowhere.Data cannot be imported"),
    ("dataset._target_=torch.nn.Identity", "dataset._target_=torch.nn.Identity is no InMemoryDataModule: derive it"),
    ("model._target_=torchvision.models.resnet18", "model._target_=torchvision.models.resnet18 is no Classifier: de"),
    ("model._target_=torch.nn.Linear", "model._target_=torch.nn.Linear is no Classifier: derive it from proj.models."),
    ("+callbacks.x._target_=torch.nn.Identity", "callbacks.x._target_=torch.nn.Identity is no Callback"),
    (
        "hydra/sweeper=optuna hydra.sweeper.n_trials=2 optimizer._target_=torch.optim.RMSprop",
        "RMSprop has no betas, fused",
    ),
)
def test_what_a_class_does_not_take_or_that_it_is_not_there_is_said_before_the_first_job(
    tmp_path, monkeypatch, mistake, words, sentence
):
    monkeypatch.chdir(tmp_path)
    assert sentence in mistake("proj.train", "-m", "seed=1,2", "model=mlp", *words.split())
    assert not list(tmp_path.glob("outputs/sweeps/*"))


@pytest.mark.parametrize(
    "scheduler", ("onecycle scheduler.total_steps=3", "cosine", "linear", "step", "plateau", "none")
)
def test_no_schedule_that_a_run_takes_is_refused_before_the_first_job(scheduler):
    rehearse([([], configure("hydra.run.dir=unused", *f"scheduler={scheduler}".split()))])


NO_PATHS = {  # what can be no path here, and how it is refused; {} stands for the option, such as input=
    "https://example.org/x.csv": "is an address, but a path on this machine is needed: download it",
    "s3://bucket/x.csv": "is an address",
    "file:///data/x.csv": "is an address, but a path on this machine is needed: type {}/data/x.csv",
    r"C:\Users\me\x.csv": "is a Windows path: here, / separates folders",
    r".\x.csv": "is a Windows path: here, / separates folders: type {}./x.csv",
    r"in\x.csv": "is a Windows path: here, / separates folders: type {}in/x.csv",
    "a file\\in\\": "is a Windows path: here, / separates folders: type '{}a file/in/'",
    r"in\*.csv": "is a Windows path: here, / separates folders: type '{}in/*.csv'",
    r"..\lost\x.csv": "is a Windows path: here, / separates folders, as in data/photos",
    "'x.csv'": "has quotation marks that no shell has removed: type {}x.csv",
    "'x (1).csv'": "has quotation marks that no shell has removed: type '{}x (1).csv'",
}


def test_what_can_be_no_path_here_is_refused_with_what_to_type(tmp_path, monkeypatch):
    (tmp_path / "a file" / "in").mkdir(parents=True)
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    for typed, sentence in NO_PATHS.items():
        for option in ("", "input="):
            with pytest.raises(UserError, match=re.escape(f"{option}{typed} {sentence.format(option)}")):
                local_path(typed, option)


@pytest.mark.parametrize("typed", (r".\x.csv", "'x.csv'"))
def test_every_command_refuses_what_can_be_no_path(mistake, trained, tmp_path, monkeypatch, typed):
    run = f"run={trained('trainer.max_epochs=1')}"
    monkeypatch.chdir(tmp_path)
    commands = [("proj.predict", f"ckpt={typed}"), ("proj.predict", f"run={typed}")]
    commands += [("proj.predict", run, f"input={typed}"), ("proj.evaluate", run, f"output={typed}")]
    commands += [("proj.train", f"resume={typed}"), ("proj.report", typed), ("proj.sweep", f"resume={typed}")]
    if not typed.startswith("'"):  # which Hydra reads
        commands += [("proj.train", f"data_dir={typed}"), ("proj.train", "-m", f"hydra.sweep.dir={typed}")]
        commands += [("proj.train", f"model.weights={typed}"), ("proj.train", f"--config-dir={typed}")]
        commands += [("proj.train", f"model.cache_dir={typed}")]
    for module, *words in commands:
        option = words[-1].removesuffix(typed)
        assert f"{option}{typed} {NO_PATHS[typed].format(option)}" in mistake(module, *words)
    with pytest.raises(UserError, match=re.escape(NO_PATHS[typed].format(""))):
        load_model(typed)


def test_a_file_may_be_named_as_an_address_or_in_quotation_marks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("'x'", r".\x"):
        (tmp_path / name).write_text("")
        assert local_path(name) == name


def test_python_answers_what_is_no_path_no_configuration_or_no_word_in_a_sentence(trained):
    folder = trained("trainer.max_epochs=1")
    for wrong in (None, 3, [folder], b"best.ckpt", np.zeros((8, 8))):
        for function in (load_model, evaluate, export, lambda path: predict(folder / "best.ckpt", path)):
            with pytest.raises(UserError, match=r"is no path: give a text or a pathlib\.Path"):
                function(wrong)
    with pytest.raises(UserError, match=r"metrics\.json is truncated or is not a checkpoint .* mean .*best\.ckpt\?"):
        load_model(folder / "metrics.json")
    with pytest.raises(UserError, match="train takes a configuration"):
        train(configure("hydra.run.dir=unused").dataset)
    with pytest.raises(UserError, match=r"in Python, --config-dir=conf is .*: configure\(…, config_dir='path"):
        configure("dataset=iris", "--config-dir=conf")
    with pytest.raises(UserError, match="-m works only on the command line, since configure composes one run"):
        configure("-m", "seed=1,2")
    with pytest.raises(UserError, match="is several words: give model=… by itself"):
        configure("dataset=iris model=mlp")


def test_what_is_there_is_named_where_a_word_lacks_its_option_or_is_a_pattern(trained, mistake, tmp_path, monkeypatch):
    run = trained("trainer.max_epochs=1")
    monkeypatch.chdir(run.parent)
    (tmp_path / "x.csv").write_text("")
    for word, meant in ((run.name, f"run={run.name}"), (f"{run.name}/best.ckpt", f"ckpt={run.name}/best.ckpt")):
        assert mistake("proj.predict", word).endswith(f"Did you mean {meant}?")
    assert mistake("proj.predict", str(tmp_path / "x.csv")).endswith(f"Did you mean input={tmp_path}/x.csv?")
    assert f"Did you mean 'run={run.name}'?" in mistake("proj.predict", f"run={run.name}*")
    # predict takes a pattern of several checkpoints, the others that of one.
    assert read_options({}, [f"ckpt={run.name}/b*"])["path"] == Path(run.name, "best.ckpt")
    for name in "ab":
        shutil.copy(run / "best.ckpt", tmp_path / f"{name}.ckpt")
    for module in ("proj.evaluate", "proj.export"):
        said = mistake(module, f"ckpt={tmp_path}/*.ckpt")
        assert "names 2 checkpoints, and only python -m proj.predict takes several" in said
        assert said.endswith(f"such as ckpt={tmp_path}/a.ckpt")


def test_a_run_that_is_not_there_is_answered_with_those_that_are(trained, mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("outputs/iris/iris/2026", "mine/first"):
        shutil.copytree(trained(), tmp_path / place)
    both = "Options: {0}=mine/first, {0}=outputs/iris/iris/2026."
    for module, option in (("proj.train", "resume"), ("proj.evaluate", "run")):
        said = mistake(module, f"{option}=mine/frist")
        assert f"Did you mean '{option}=mine/first'? {both.format(option)}" in said
        assert mistake(module, f"{option}=nothing").endswith(f"Options: {option}=outputs/iris/iris/2026.")
        assert mistake(module, f"{option}=mine").endswith(f"Options: {option}=mine/first.")  # the runs in it


@pytest.mark.parametrize("module", ("train", "evaluate", "report"))
def test_help_and_versions_are_given_however_they_are_asked_for(command, module):
    for word, said in (("help", "python -m"), ("-help", "python -m"), ("version", "proj "), ("--version", "proj ")):
        process = command("-m", f"proj.{module}", word)
        assert process.returncode == 0 and said in process.stdout
    assert "Did you mean '--help'?" in command("-m", f"proj.{module}", "--hlep").stderr


def test_an_option_of_ones_own_that_is_not_read_since_another_has_its_name_is_refused(tmp_path):
    file, words = tmp_path / "own/model/mlp.yaml", ("hydra.run.dir=unused", "model=mlp")
    file.parent.mkdir(parents=True)
    file.write_bytes((CONF / "model/mlp.yaml").read_bytes())
    configure(*words, config_dir=str(tmp_path / "own"))
    file.write_text(file.read_text().replace("norm: batch", "norm: none"))
    configure("hydra.run.dir=unused", config_dir=str(tmp_path / "own"))
    sentence = "is not read, since proj has its own model/mlp.yaml: rename your file."
    with pytest.raises(UserError, match=sentence):
        configure(*words, config_dir=str(tmp_path / "own"))
    assert sentence in refused(tmp_path, "--config-dir=own", "model=iris,mlp")


def test_what_is_left_in_the_environment_is_ignored_or_said(monkeypatch):
    def look(**variables: str) -> None:
        for name in (*TORCHRUN, *SRUN, "TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        check_environment()

    look(RANK="", LOCAL_RANK="", WORLD_SIZE="", PROJ_DATA_DIR="")
    assert "PROJ_DATA_DIR" not in os.environ
    look(WORLD_SIZE="1", RANK="0")
    look(LOCAL_RANK="1", MASTER_PORT="1234", WORLD_SIZE="2")
    for variables, sentence in (
        ({"RANK": "1"}, "RANK=1 in the env"),
        ({"LOCAL_RANK": "x"}, "unset LOCAL_RANK"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE=2 in the environment .* unset WORLD_SIZE, or start them with"),
    ):
        with pytest.raises(UserError, match=sentence):
            look(**variables)


@pytest.mark.parametrize(
    ("begins", "others", "starter"),
    (
        ("TORCHELASTIC_RUN_ID", TORCHRUN, "torchrun"),
        ("SLURM_STEP_NUM_TASKS", SRUN, "srun"),
        ("", RANKS, "torchrun or srun"),
    ),
)
def test_a_part_of_what_torchrun_or_srun_sets_is_one_sentence_whose_cure_helps(monkeypatch, begins, others, starter):
    """Each of the variables in turn is missing, or of those that number a process is the only one."""
    trainer = OmegaConf.create({"devices": "auto", "strategy": "auto", "num_nodes": 1, "accelerator": "cpu"})
    for chosen in others:
        names = [begins, *(name for name in others if name != chosen)] if begins else [chosen, "MASTER_PORT"]
        for name in (*TORCHRUN, *SRUN, "TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"):
            monkeypatch.delenv(name, raising=False)
        for name in names:
            monkeypatch.setenv(name, "2")
        with pytest.raises(
            UserError, match=f"{names[0]}=2 in the environment says.*or start them with {starter}"
        ) as raised:
            check_environment()
            fit_to_processes(trainer)
        for name in re.search("unset (.+), or", str(raised.value))[1].split():
            monkeypatch.delenv(name)
        check_environment()
        fit_to_processes(trainer)
        assert rank() == 0 and not launched_processes()


def test_ctrl_c_of_which_hydra_makes_another_error_is_no_traceback():
    with pytest.raises(SystemExit) as stop, sentences():
        try:
            try:
                raise KeyboardInterrupt
            finally:  # as OmegaConf does with a node that is half made
                raise ConfigKeyError("half composed")
        except ConfigKeyError as error:
            raise ConfigCompositionException from error
    assert stop.value.code == 130


def test_a_warning_that_is_made_an_error_is_no_traceback(monkeypatch):
    monkeypatch.setattr("sys.warnoptions", ["error"])
    with (
        pytest.raises(SystemExit, match=r"^error: PYTHONWARNINGS or -W makes an error of .* \(old\): leave it"),
        sentences(),
    ):
        raise DeprecationWarning("old")


def test_the_names_that_are_checked_are_those_that_the_models_take():
    for name in NAMES["activation"]:
        MLP((4,), 3, hidden=[8], activation=name, norm="none", loss=None)
    for norm in NAMES["norm"]:
        for head in NAMES["head"]:
            for after, init in zip(NAMES["pool_after"], NAMES["init"], strict=True):
                settings = {"norm": norm, "head": head, "pool_after": after}
                WhitenedCNN((1, 8, 8), 3, widths=[8], init=init, loss=None, **settings)


def test_evaluate_takes_a_dataset_of_ones_own(trained, tmp_path, command):
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/flowers.yaml").write_text("defaults: [iris]\n")
    process = command(
        "-m", "proj.evaluate", f"run={trained()}", "dataset=flowers", "--config-dir", "conf", "output=out"
    )
    assert process.returncode == 0, process.stderr
    assert "15 test examples of flowers" in process.stdout


def test_data_that_is_not_there_is_not_downloaded_into_the_current_folder(tmp_path, trained, monkeypatch):
    known = torch.load(trained("dataset=mnist", "model=mlp") / "best.ckpt", weights_only=True)["proj"]
    assert Path(known["config"]["dataset"]["data_dir"]).is_absolute()
    monkeypatch.chdir(tmp_path)
    for words in ({"dataset": "fashion_mnist"}, {}):
        known["config"]["dataset"]["data_dir"] = "data"
        with pytest.raises(UserError, match="name the folder that has it, or into which to download it"):
            open_data(known, **words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ("optimizer.eps", "callbacks.best.save_top_k"))
def test_an_argument_that_conf_does_not_list_is_answered_with_a_word_that_is_taken(mistake, command, key):
    said = mistake("proj.train", f"{key}=1")
    assert f"There is no setting '{key}'." in said and f"add a plus: +{key}=…" in said
    assert command("-m", "proj.train", f"+{key}=1", "--cfg", "job").returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    (
        (["optimizr.lr=1"], "There is no setting 'optimizr.lr'. Did you mean 'optimizer.lr'?"),
        (["model=cnnn"], "model=cnnn does not exist. Did you mean 'cnn'?"),
        (["seed=1,2"], "seed=1,2 gives several values: add -m"),
        (["~model"], "~model cannot be left out"),
        (["sweep_name=a"], "work only in a sweep: add -m"),
        (["logger=[csv,tensorbord]"], "logger=tensorbord does not exist. Did you mean 'tensorboard'? Options: csv"),
        (["resume=run"], "resume works only on the command line: python -m proj.train resume=<folder>"),
    ),
)
def test_python_gets_the_sentence_that_the_command_line_prints(words, sentence):
    with pytest.raises(UserError) as raised:
        configure(*words, "hydra.run.dir=unused")
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("words", "advised"),
    (
        (["dataset.num_workers=4"], None),  # no argument of the class
        (["model=mlp", "model.foo=4"], None),
        (["model.loss.foo=4"], None),
        (["every_n_epochs=4"], "+callbacks.best.every_n_epochs"),
        (["lr=4"], "optimizer.lr"),
        (["dataset.augment.mixup=0.5"], "augment=strong"),
        (["optimizer.maximize=false"], "+optimizer.maximize"),
    ),
)
def test_what_the_answer_to_an_unknown_setting_advises_is_taken(words, advised):
    def said(*words: str) -> str:
        with pytest.raises(UserError) as raised:
            configure("dataset=digits", *words, "hydra.run.dir=unused")
        return str(raised.value)

    sentence = said(*words)
    assert "There is no setting" in sentence and (advised or "add a plus" not in sentence)
    if advised:
        assert advised in sentence
        value = words[-1].partition("=")[2]
        configure("dataset=digits", advised if "=" in advised else f"{advised}={value}", "hydra.run.dir=unused")


def test_a_setting_of_other_options_alone_is_said_to_be_theirs():
    with pytest.raises(UserError, match=r"no setting 'hidden'\. With another model=… there is 'model\.hidden'\.$"):
        configure("hidden=[3]", "dataset=digits", "model=cnn", "hydra.run.dir=unused")


def test_a_plus_before_a_group_that_has_an_option_changes_it():
    words = ("hydra.run.dir=unused", "optimizer.lr=0.1")
    assert configure("+dataset=digits", "++model=mlp", "+augment=none", *words) == configure(
        "dataset=digits", "model=mlp", "augment=none", *words
    )


def test_a_shell_that_says_it_has_no_columns_loses_no_table(monkeypatch, mistake):
    monkeypatch.setenv("COLUMNS", "0")
    mistake("proj.train", "seed=x")
    assert "COLUMNS" not in os.environ


class Own:
    """A class of one's own, of which nothing is known before it is built."""

    def __init__(self, width: int = 1) -> None:
        pass


def test_a_setting_of_ones_own_that_nothing_reads_is_noted_in_a_sweep_once(tmp_path, capsys):
    note = "note is only kept with the other settings: no part of the program reads it.\n"
    configure("+note=first")
    assert capsys.readouterr().out == note
    assert configure("+w=32", "model=mlp", "model.hidden=[${w}]", "+to={a:1}", "seed=${to.a}").model.hidden == [32]
    assert not capsys.readouterr().out
    assert run(tmp_path, "+note=first,second").count(note) == 1


def test_what_a_class_of_ones_own_does_not_take_is_answered_with_what_it_takes():
    with pytest.raises(UserError, match=r"Own takes no wdth\. Did you mean 'width'\?"):
        build({"_target_": f"{__name__}.Own", "wdth": 2})


@pytest.mark.parametrize(
    ("word", "here", "on_windows"),
    (
        ("dataset.drop=['City, State']", "\"dataset.drop=['City, State']\"", "\"dataset.drop=['City, State']\""),
        ("model.hidden=[128]", "'model.hidden=[128]'", "model.hidden=[128]"),
        ("~callbacks.dashboard", "'~callbacks.dashboard'", "~callbacks.dashboard"),
        ("run=R&D(1)", "'run=R&D(1)'", '"run=R&D(1)"'),
        ("threshold={yes:5}", "'threshold={yes:5}'", '"threshold={yes:5}"'),
        ("data_dir=a;b\\", "'data_dir=a;b\\'", '"data_dir=a;b\\\\"'),
        ("seed=1,2", "seed=1,2", "seed=1,2"),
        (r"run=C:\Users\me\runs", r"'run=C:\Users\me\runs'", r"run=C:\Users\me\runs"),
    ),
)
def test_a_command_to_copy_has_quotation_marks_where_a_shell_would_change_a_word(word, here, on_windows, monkeypatch):
    """&, (), {} and ; mean something to cmd.exe or PowerShell; [] and ~ to zsh."""
    assert as_command([word]) == here and shlex.split(here) == [word]
    monkeypatch.setattr("proj.system.shell.WINDOWS", True)
    assert as_command([word]) == on_windows


def test_single_quotes_that_cmd_leaves_around_a_setting_are_not_part_of_it(mistake, capsys):
    said = mistake("proj.train", "'model.hiden=[64,32]'", "model=mlp")
    assert "model.hidden" in said and "'model.hiden=" not in said


def test_a_comment_that_the_shell_does_not_know_is_said(mistake):
    """zsh and cmd.exe take a # that is typed behind a command for a word of it."""
    for command in (("proj.train", "dataset=iris"), ("proj.evaluate", "run=x")):
        assert "takes # for no comment: leave it" in mistake(*command, "#", "a", "remark")


def test_a_setting_to_copy_is_not_broken_whichever_quotation_marks_it_has():
    for setting in ("'dataset.drop=[len (cm)]'", '"data_dir=it\'s here and there"'):
        assert setting in wrapped(f"{'a word ' * 8}type {setting} or another one", 80)
