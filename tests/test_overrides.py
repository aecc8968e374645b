"""What goes on takes the words of any command, and drops none without a sentence."""

import re

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from support.refusals import refusals

from proj.config.compose import configure
from proj.config.explain import explain
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.sweep import refuse


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run of which only the configuration is there."""
    folder = tmp_path_factory.mktemp("run")
    words = ("dataset=digits", "model=mlp", "data_dir=data", "trainer.gradient_clip_val=0.5")
    cfg = configure(*words, f"hydra.run.dir={folder}")
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    return folder


@pytest.mark.parametrize(
    ("words", "changes"),
    (
        ("~callbacks.dashboard", {"callbacks.dashboard": None}),
        ("+trainer.max_steps=7", {"trainer.max_steps": 7}),
        ("trainer.max_time={hours:1}", {"trainer.max_time": {"hours": 1}}),
        ("trainer.limit_val_batches=3 trainer=cpu", {"trainer.accelerator": "cpu", "trainer.limit_val_batches": 3}),
        ("trainer=cpu", {"trainer.accelerator": "cpu", "trainer.gradient_clip_val": 0.5}),
        ("trainer.max_epochs=9 trainer=debug", {"trainer.devices": 1, "trainer.max_epochs": 9}),
        ("callbacks=early_stopping", {"callbacks.early_stopping.monitor": "val/acc"}),
        ("logger=[csv,tensorboard]", {"logger.csv._target_": "proj.training.loggers.Table", "save_every": 30}),
        ("logger=none", {"logger": {}}),
        ("+callbacks.lr._target_=mine.LR", {"callbacks.lr._target_": "mine.LR"}),
        ("model=mlp dataset=digits", {"choices.model": "mlp"}),
        ("data_dir='a, b'", {"data_dir": "a, b", "dataset.batch_size": 64}),
    ),
)
def test_a_run_that_goes_on_takes_the_words_of_any_command(folder, words, changes):
    found = stored_config(folder, words.split(" ") if "'" not in words else [words])
    assert {key: OmegaConf.select(found, key) for key in changes} == changes


@refusals(
    ("output_dir=x", "This one resumes in its folder"),
    ("hydra/launcher=joblib", "This one resumes in its folder"),
    ("sweep_name=x", "works only in a sweep"),
    ("seed=1,2", "gives several values"),
    ("--cfg", "works only in a new run. A resumed run takes settings"),
    ("model=cnn", "model=cnn works only in a new run: a resumed run takes single settings"),
    ("save_every=true", "is not a number"),
    ("choices.model=x", "choices is set by this program"),
    ("+trainer.max_epoch=3", r"no setting 'trainer\.max_epoch'\. Did you mean 'trainer\.max_epochs'"),
    ("~optimizer", "works only in a new run: a resumed"),
    ("logger=[csv,tensorbord]", "Did you mean 'tensorboard'"),
    ("test=maybe", "test=maybe is not true or false"),
    ("trainer.logger=false", "trainer.logger is set by this program"),
    ("~callbacks.best", r"leave ~callbacks\.best out"),
    ("trainer.max_epochs=-3", "not a whole number"),
    ("optimizer.lrr=1", r"Did you mean 'optimizer\.lr'"),
    ("batchsize=3", r"Did you mean 'dataset\.batch_size'"),
)
def test_a_run_that_goes_on_refuses_what_it_cannot_take(folder, words, sentence):
    with pytest.raises((UserError, HydraException)) as error:
        stored_config(folder, [words])
    assert re.search(sentence, explain(error.value))


@refusals(
    ("isolat=true", "Did you mean 'isolate'"),
    ("isolate=maybe", "isolate=maybe does not exist. Options: false, true"),
    ("hydra.sweeper.n_trial=3", r"Did you mean 'hydra\.sweeper\.n_trials'"),
    ("hydra.job.chdir=true", "is set by this program"),
    ("optimizer.lr=0.1", "optimizer.lr=0.1 would change the jobs of"),
    ("hydra.sweeper.seed=3", "would change the jobs of"),
    ("hydra/sweeper=grid", "would change the jobs of"),
    ("--multirun", "is not of the form key=value"),
    ("data", "is not of the form key=value. Did you mean 'data_dir'"),
)
def test_a_sweep_that_goes_on_refuses_what_it_cannot_take(tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        refuse(words, tmp_path, is_search="n_trial=" in words)


@pytest.mark.parametrize(("is_search", "other"), ((True, "seeds"), (False, "hydra.sweeper.n_trials")))
def test_a_sweep_that_goes_on_names_only_words_that_it_takes(tmp_path, is_search, other):
    for word in ("optimizer.lr=0.1", "lr", *([] if is_search else ["hydra.sweeper.n_trials=3"])):
        with pytest.raises(UserError) as raised:
            refuse(word, tmp_path, is_search)
        said = str(raised.value).removeprefix(word)
        assert other not in said and ("hydra.sweeper.n_trials" if is_search else "seeds") in said, said


@pytest.mark.parametrize(
    ("module", "words", "sentence"),
    (
        ("proj.train", "resume=a resume=b", "resume is given twice"),
        ("proj.train", "resume=", "resume= names no folder"),
        ("proj.sweep", "resume=a resume=b", "resume is given twice"),
        ("proj.sweep", "isolate=true", "python -m proj.sweep resume=<folder>"),
        ("proj.report", "output=a output=b outputs", "output is given twice"),
        ("proj.report", "run=/", "there is no option 'run'. Did you mean /, without run=?"),
        ("proj.report", "outptu=a outputs", "there is no option 'outptu'. Did you mean 'output'"),
        ("proj.report", "output=a", "name the folders to compare"),
        ("proj.evaluate", "ckpt=a ckpt=b", "ckpt is given twice"),
        ("proj.evaluate", "ckpt=.", ". is a folder. Give run=<folder of a run>."),
        ("proj.evaluate", f"run={__file__}", f"is a file: give ckpt={__file__}, or the folder of its run"),
        ("proj.train", f"resume={__file__}", "is a file: give the folder of its run"),
    ),
)
def test_a_word_that_would_be_dropped_is_refused(mistake, module, words, sentence):
    assert sentence in mistake(module, *words.split())


def test_a_run_whose_best_checkpoint_is_gone_is_answered_with_its_last_one(tmp_path, mistake):
    (tmp_path / "last.ckpt").touch()
    assert f"Give the last one, ckpt={tmp_path / 'last.ckpt'}, or" in mistake("proj.evaluate", f"run={tmp_path}")


def test_a_run_that_goes_on_takes_the_augmentation_that_it_has_and_no_other(folder):
    assert stored_config(folder, ["augment=light"]).choices.augment == "light"
    with pytest.raises(UserError, match="augment=strong works only in a new run"):
        stored_config(folder, ["augment=strong"])
