"""What a sweep is frozen with beside its configuration: the user's own files, options and data."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from support import processes
from support.sweeps import config, finish_at_once, refused, resume, run, sweep
from torch import nn

from proj.checkpoint.file import load_model
from proj.config.allowed_classes import is_trusted
from proj.config.check_values import check_ranges
from proj.config.check_words import refuse_unread_data
from proj.config.explain import user_errors
from proj.config.own_code import own_code
from proj.errors import UserError
from proj.models import MLP, Classifier
from proj.sweeps.folder import Sweep
from proj.sweeps.sweep_file import read_manifest
from proj.training.robustness.changes import compare_environments, refuse_data_unlike_other_jobs, renamed
from proj.training.run import train

NET = "from helper import WIDTH\nfrom proj.models import MLP\n\nclass Net(MLP):\n    width = WIDTH\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_the_files_of_own_classes_are_found_with_all_that_they_import(tmp_path, monkeypatch):
    write(
        tmp_path,
        {
            "own_nets/__init__.py": "",
            "own_nets/net.py": "from .parts import block\nfrom . import loss\nimport torch, json, own_a.b.c",
            "own_nets/parts/block.py": "def f():\n    from own_star import *",
            "own_nets/parts/__init__.py": "import own_nets.loss as l",
            "own_nets/loss.py": "",
            "own_nets/unused.py": "",
            "own_star.py": "from own_star import *\nfrom own_last import *",
            "own_last.py": "import own_none, pytest",
            "own_a/b/c.py": "this is no Python",
            "own_stop.py": "",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = {part: {"_target_": name} for part, name in (("model", "own_nets.net.Net"), ("dataset", "own_none.X"))}
    found = own_code(config | {"callbacks": {"own": [{"_target_": "own_stop.X"}], "best": {"_target_": "torch.nn.X"}}})
    parts = ("net", "parts/block", "parts/__init__", "loss", "__init__")
    others = ("own_star.py", "own_last.py", "own_a/b/c.py", "own_stop.py")
    assert sorted(found) == sorted([*(f"own_nets/{part}.py" for part in parts), *others])


def test_a_sweep_whose_own_files_have_changed_says_which_and_goes_on_once_they_are_named(tmp_path, monkeypatch):
    write(tmp_path, {"mine.py": NET, "helper.py": "WIDTH = 1\n"})
    run(tmp_path, "sweep_name=s", "seed=1,2", "model=mlp", "model._target_=mine.Net")
    folder = tmp_path / "outputs/sweeps/s"
    assert "resume=outputs/sweeps/s trust=mine; for a new one" in refused(tmp_path, "sweep_name=s", "seed=1,2,3")
    write(tmp_path, {"helper.py": "WIDTH = 2\n"})
    shutil.rmtree(folder / "1_seed=2")
    assert "helper.py changed since" in refused(tmp_path, "resume=outputs/sweeps/s", "trust=mine", module="sweep")
    said = resume(tmp_path, "trust=mine,helper.py")
    assert "2 runs (finished)" in said
    monkeypatch.syspath_prepend(tmp_path)
    said = resume(tmp_path, "trust=mine,helper.py")
    assert "helper.py changed since this sweep began: its figures are those of the old code." in said
    stopped = Sweep(folder, read_manifest(folder), {0: "0_seed=1"}, trust=["mine", "helper.py"])
    assert stopped.resume_command(stopped.jobs()).endswith(" trust=helper.py,mine")


FORWARD = """
class Turned(Classifier):
    def __init__(self, input_shape, num_classes, **training):
        super().__init__(num_classes, **training)
        self.network = torch.nn.Linear(4, num_classes)

    def forward(self, x):
        return {}self.network(x)
"""


def test_a_finished_run_whose_own_files_have_changed_says_so_and_is_not_measured_again(
    configure, tmp_path, monkeypatch, capsys
):
    def write_model(sign: str) -> None:
        content = f"import torch\nfrom proj.models import Classifier\n{FORWARD.format(sign)}"
        (tmp_path / "turned.py").write_text(content, encoding="utf-8")
        sys.modules.pop("turned", None)

    monkeypatch.syspath_prepend(tmp_path)
    write_model("")
    words = ("model._target_=turned.Turned", "~model.activation", "trainer.max_epochs=1")
    metrics = train(configure(*words))
    load_model(metrics["checkpoint"], trust=["turned"])
    assert "changed" not in capsys.readouterr().out
    write_model("-")
    assert train(configure(*words)) == metrics
    assert "turned.py changed since: start a new run for figures of the new code." in capsys.readouterr().out
    for more in ("threshold={setosa:5}", "tta=true"):
        with pytest.raises(UserError, match=r"turned\.py changed since .*run was trained, and there is something left"):
            train(configure(*words, more))
    assert json.loads((tmp_path / "run/metrics.json").read_text(encoding="utf-8")) == metrics
    load_model(metrics["checkpoint"], trust=["turned"])
    assert "turned.py changed since" in capsys.readouterr().out


def test_a_file_that_was_edited_after_its_import_is_said_to_be_trained_as_it_was(
    configure, tmp_path, monkeypatch, capsys
):
    content = f"import torch\nfrom proj.models import Classifier\n{FORWARD.format('')}"
    (tmp_path / "kept.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    words = ("model._target_=kept.Turned", "~model.activation", "trainer.max_epochs=1")
    first = train(configure(*words))
    (tmp_path / "kept.py").write_text(content.replace("return ", "return -"), encoding="utf-8")
    assert "kept.py changed" not in capsys.readouterr().out
    assert train(configure(*words)) == first
    assert "kept.py changed since: start a new run for figures of the new code." in capsys.readouterr().out
    second = train(configure(*words, f"hydra.run.dir={tmp_path}/second"))
    said = " ".join(capsys.readouterr().out.split())
    assert "kept.py changed after this process had imported it, so that the code as it was is trained" in said
    records = [json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8")) for name in ("run", "second")]
    assert first["test/loss"] == second["test/loss"] and records[0]["code"] == records[1]["code"]
    importlib.reload(sys.modules["kept"])
    third = train(configure(*words, f"hydra.run.dir={tmp_path}/third"))
    assert "kept.py changed" not in capsys.readouterr().out and third["test/loss"] != first["test/loss"]


def change_mine_and_play() -> None:
    import proj.sweeps.folder

    finish_at_once()
    real = proj.sweeps.folder.Sweep.begin

    def begin(self, *arguments):
        real(self, *arguments)
        Path("mine.py").write_text(NET + "# edited while the sweep ran\n")

    proj.sweeps.folder.Sweep.begin = begin


def test_jobs_in_processes_of_their_own_do_not_run_what_was_edited_meanwhile(tmp_path):
    write(tmp_path, {"mine.py": NET, "helper.py": "WIDTH = 1\n"})
    words = ("sweep_name=s", "seed=1,2", "model=mlp", "model._target_=mine.Net", "isolate=true")
    code, out, err = sweep(tmp_path, *words, before=change_mine_and_play)
    assert code == 1 and "mine.py changed since" in out and "2 of 2 jobs have no result" in err


def test_a_run_that_goes_on_with_other_code_of_the_users_says_so(tmp_path, capsys):
    before = {"device": "cpu", "processes": 1, "mine.py": "1", "gone.py": "2"}
    compare_environments(before, {"device": "cpu", "processes": 1, "mine.py": "3", "new.py": "4"}, tmp_path)
    said = capsys.readouterr().out
    assert "The results may differ from those of an unbroken run (mine.py changed since the run began)" in said
    compare_environments({"device": "cpu", "processes": 1}, {"device": "cpu", "processes": 1, "mine.py": "3"}, tmp_path)
    assert capsys.readouterr().out == ""


def test_jobs_of_a_sweep_have_the_data_that_the_first_of_them_had(tmp_path):
    classes = ["red", "1"]
    own = {"_target_": "wine.Wine", "seed": 1, "data_dir": "data"}
    table = {"_target_": "proj.data.CSVDataModule", "seed": 1, "data_dir": "table.csv", "target": "x"}
    for name in ("0_", "1_"):
        write(tmp_path, {f"{name}/job.yaml": ""})
    refuse_data_unlike_other_jobs(tmp_path / "1_", table, "aa", classes)  # no sweep
    write(tmp_path, {"sweep.yaml": ""})
    for settings in (table, own):
        refuse_data_unlike_other_jobs(tmp_path / "0_", settings, "ab", classes)
        refuse_data_unlike_other_jobs(tmp_path / "1_", settings, "ab", classes)
        with pytest.raises(UserError, match="checksum ab in theirs, cd now"):
            refuse_data_unlike_other_jobs(tmp_path / "1_", settings, "cd", classes)
    with pytest.raises(UserError):  # this project's data has the same parts with every seed
        refuse_data_unlike_other_jobs(tmp_path / "1_", table | {"seed": 2}, "cd", classes)
    refuse_data_unlike_other_jobs(tmp_path / "1_", own | {"seed": 2}, "cd", classes)
    refuse_data_unlike_other_jobs(tmp_path / "1_", table | {"target": "y"}, "cd", classes)
    refuse_data_unlike_other_jobs(tmp_path / "1_", table | {"data_dir": "other.csv"}, "cd", classes)
    refuse_data_unlike_other_jobs(tmp_path / "1_", own, "ab", ["Red", "1.0"])
    with pytest.raises(UserError, match=r"other names .'red' then, 'rouge' now.*type python -m proj.sweep resume="):
        refuse_data_unlike_other_jobs(tmp_path / "1_", own, "ab", ["rouge", "1"])
    table["target"], columns = "z", [{"name": "size", "mean": 0.0, "std": 2.0}]
    refuse_data_unlike_other_jobs(tmp_path / "0_", table, "ab", classes, columns)
    refuse_data_unlike_other_jobs(tmp_path / "1_", table, "ab", classes, [columns[0] | {"mean": 1e-9}])
    with pytest.raises(UserError, match=r"other data \(another name, scale or words of size\): a file has changed"):
        refuse_data_unlike_other_jobs(tmp_path / "1_", table, "ab", classes, [columns[0] | {"mean": 0.01}])
    table["target"], words = "w", {"name": "kind", "words": ["p", "q"]}
    refuse_data_unlike_other_jobs(tmp_path / "0_", table, "ab", classes, [words])
    with pytest.raises(UserError, match=r"other data \(another name, scale or words of kind\): a file has changed"):
        refuse_data_unlike_other_jobs(tmp_path / "1_", table, "ab", classes, [words | {"words": ["p", "q", "r"]}])
    table["target"] = "z"
    for text in ("ab", f"ab\n{json.dumps(classes)}"):  # as older versions wrote it
        for file in tmp_path.glob(".data-*"):
            file.write_text(text)
        refuse_data_unlike_other_jobs(tmp_path / "1_", table, "ab", classes, columns)
    for file in tmp_path.glob(".data-*"):
        file.write_text("ab")
    refuse_data_unlike_other_jobs(tmp_path / "1_", own, "ab", ["rouge", "1"])


def test_a_run_goes_on_with_classes_that_are_only_spelled_differently():
    assert renamed(["Éte", "1", "no"], ["e\u0301te", "1.0", "No"]) == "" == renamed(None, ["red"])
    assert renamed(["red", "blue"], ["rouge", "Blue"]) == "'red' then, 'rouge' now"


def test_the_best_again_and_a_job_that_is_made_anew_take_all_options_that_the_sweep_began_with(tmp_path):
    """Among them a main file, and a group that this project does not have. Their folder is gone."""
    options = {
        "conf/mine.yaml": "defaults: [train, _self_]\nsave_every: 7\n",
        "conf/experiment/high.yaml": "# @package _global_\noptimizer: {lr: 0.5}\n",
        "conf/sweep/mine.yaml": "hydra: {sweeper: {params: {seed: '1,2', +optimizer.eps: 1e-7}}}\n",
        "conf/dataset/flowers.yaml": "defaults: [iris, /extra/small@_here_]\n",
        "conf/extra/small.yaml": "batch_size: 12\n",
    }
    options["conf/sweep/mine.yaml"] = "# @package _global_\n" + options["conf/sweep/mine.yaml"]
    write(tmp_path, options)
    words = ("--config-dir=conf", "--config-name=mine", "+experiment=high", "sweep=mine", "dataset=flowers")
    best = "python -m proj.train --config-dir=outputs/sweeps/s/conf --config-name=mine -m "
    best += "+optimizer.eps=1e-07 +experiment=high sweep=mine dataset=flowers"
    assert best in run(tmp_path, *words, "sweep_name=s")
    (tmp_path / "conf").rename(tmp_path / "elsewhere")
    folder = tmp_path / "outputs/sweeps/s"
    shutil.rmtree(next(folder.glob("1_*")))
    assert best in resume(tmp_path)
    again = config(next(folder.glob("1_*")))
    assert (again["dataset"]["batch_size"], again["optimizer"]["lr"], again["save_every"]) == (12, 0.5, 7)
    said = refused(tmp_path, "resume=outputs/sweeps/s", "--config-dir=elsewhere", module="sweep")
    assert "leave --config-dir=elsewhere out" in said
    write(tmp_path, {name.replace("conf", "other", 1): text for name, text in options.items()})
    said = refused(tmp_path, "--config-dir=other", *words[1:], "sweep_name=s")
    assert "--config-dir=" in said.partition("holds another sweep (")[2]


def test_a_sweep_goes_on_without_the_folders_that_hydra_searchpath_named(tmp_path):
    adam = "_target_: torch.optim.Adam\n_partial_: true\nweight_decay: 0.5\neps: 1e-8\n"
    write(tmp_path, {"own/optimizer/mine.yaml": adam})
    words = ("hydra.searchpath=[file://own]", "sweep_name=s", "optimizer=mine", "optimizer.eps=1e-7", "seed=1,2")
    best = "python -m proj.train --config-dir=outputs/sweeps/s/conf optimizer=mine optimizer.eps=1e-7"
    assert best in run(tmp_path, *words)
    shutil.rmtree(tmp_path / "own")
    folder = tmp_path / "outputs/sweeps/s"
    shutil.rmtree(next(folder.glob("1_*")))
    said = resume(tmp_path, "seeds=+1", "rows=all")
    assert best in said and "trust=" not in said
    assert config(next(folder.glob("2_*")))["optimizer"]["weight_decay"] == 0.5


def test_an_argument_of_ones_own_class_may_be_anything_also_under_a_name_that_is_known(configure):
    cfg = configure("dataset=digits", "model=mlp")
    cfg.model = {"_target_": "mine.Net", "hidden": 8, "dropout": "all"}
    check_ranges(cfg)
    cfg.dataset = {"_target_": "mine.Data", "size": "large", "batch_size": 0}
    with pytest.raises(UserError, match=r"dataset.batch_size=0 is not a whole number"):
        check_ranges(cfg)


def test_a_mistake_in_code_of_ones_own_ends_in_a_traceback_whose_last_lines_name_its_file(tmp_path):
    data = "from proj.data.datamodule import InMemoryDataModule\n\nclass Data(InMemoryDataModule):\n"
    data += "    kind = 'table'\n\n    def load(self):\n        self.input_shape = {}['shape']\n"
    options = "_target_: mine.Data\nbatch_size: 8\nseed: ${seed}\n"
    write(tmp_path, {"mine.py": data, "conf/dataset/mine.yaml": options})
    process = processes.run(tmp_path, "proj.train", "--config-dir=conf", "dataset=mine", "model=mlp")
    said = process.stderr.splitlines()
    assert process.returncode == 1 and said[-1] == "KeyError: 'shape'"
    assert any(line.endswith('mine.py", line 7, in load') for line in said[-5:])


@pytest.mark.parametrize(
    "ends", ("import sys; sys.exit()", "import argparse; argparse.ArgumentParser().parse_args(['x'])")
)
def test_a_file_of_ones_own_that_ends_the_program_where_it_is_imported_is_one_sentence(
    configure, tmp_path, monkeypatch, ends
):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"ends{len(ends)}"
    write(tmp_path, {f"{name}.py": f"from proj.models import MLP as Net\n{ends}\n"})
    with pytest.raises(UserError, match=rf"{name} calls sys.exit while it is imported: put what it runs below if"):
        train(configure(f"model._target_={name}.Net"))
    with pytest.raises(UserError, match=rf"{name}.Net cannot be loaded \({name} calls sys.exit"):
        is_trusted(f"{name}.Net", [name])


class Wide(Classifier):
    """Gives an output more than there are classes."""

    def __init__(self, input_shape, num_classes, **training):
        super().__init__(num_classes, **training)
        self.network = nn.Linear(input_shape[0], num_classes + 1)


class Plain(nn.Linear):
    def __init__(self, input_shape, num_classes, **training):
        super().__init__(input_shape[0], num_classes)


class Narrow(nn.Linear):
    def __init__(self, input_shape, num_classes):
        super().__init__(input_shape[0], num_classes)


class Fixed(Classifier):
    def __init__(self, num_classes, loss=None):
        super().__init__(num_classes, loss)


class Counts(Classifier):
    """Has an output for a class that the data does not have."""

    def __init__(self, input_shape, num_classes, **training):
        super().__init__(4, **training)
        self.network = nn.Linear(input_shape[0], 4)


class AllMembers(MLP):
    """Gives the outputs of each member of an ensemble also where one answer is needed."""

    def forward(self, x):
        return torch.stack([self.network(x), 2 * self.network(x)], 1)


class InLists(MLP):
    """Keeps some of its layers where torch does not look for them."""

    def __init__(self, input_shape, num_classes, **training):
        super().__init__(input_shape, num_classes, **training)
        self.blocks = [[nn.Linear(4, 4)], "no layer"]
        self.scales = {"first": nn.Parameter(torch.ones(1))}
        self.kept, self.sizes = nn.ModuleList([nn.Linear(4, 4)]), [4, 4]
        self.also = [self.kept[0]]


class Empty(Classifier):
    def __init__(self, input_shape, num_classes, **training):
        super().__init__(num_classes, **training)


class Forgets(MLP):
    """Returns no loss."""

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)


class Detached(MLP):
    """Gives logits that know nothing of its weights."""

    def forward(self, x):
        return super().forward(x).detach()


class Still(MLP):
    """Has no optimizer."""

    def configure_optimizers(self):
        return None


class Several(MLP):
    """Has two optimizers, and lets Lightning step."""

    def configure_optimizers(self):
        return [torch.optim.SGD(self.parameters(), 0.1), torch.optim.SGD(self.parameters(), 0.1)]


class LogsText(MLP):
    def on_train_epoch_end(self):
        self.log("mine", "text")


class GivesTextToTheLogger(MLP):
    def on_train_epoch_end(self):
        self.logger.log_metrics({"mine": "text"})


class DrawsText(MLP):
    def on_train_epoch_end(self):
        self.logger.experiment.add_scalar("mine", "text")


class Grows(MLP):
    """Has a buffer that grows, so that an earlier checkpoint does not fit."""

    def __init__(self, input_shape, num_classes, **training):
        super().__init__(input_shape, num_classes, **training)
        self.register_buffer("seen", torch.zeros(0))

    def on_train_end(self):
        self.seen = torch.zeros(1)


class Breaks(Empty):
    def __init__(self, input_shape, num_classes, **training):
        raise RuntimeError("of two\nlines")


class Gives(Empty):
    """Returns what `change` makes of the logits."""

    def forward(self, x):
        return self.change(self.head(x))

    def __init__(self, input_shape, num_classes, **training):
        super().__init__(input_shape, num_classes, **training)
        self.head = nn.Linear(input_shape[0], num_classes)


@pytest.mark.parametrize(
    ("change", "what"),
    (
        (lambda logits: (logits, None), "a tuple"),
        (lambda logits: None, "None"),
        (lambda logits: logits[:, 0], r"numbers of the shape \(3,\)"),
        (lambda logits: logits[:, None, None], r"numbers of the shape \(3, 1, 1, 3\)"),
        (lambda logits: logits[:1], r"numbers of the shape \(1, 3\)"),
    ),
    ids=("tuple", "none", "one_number_each", "four_dimensions", "one_example"),
)
def test_a_forward_of_ones_own_that_gives_no_logit_for_each_class_is_told_what_to_return(
    configure, monkeypatch, change, what
):
    monkeypatch.setattr(Gives, "change", staticmethod(change), raising=False)
    words = (f"model._target_={__name__}.Gives", "~model.activation", "trainer.max_epochs=1", "dataset.batch_size=3")
    with pytest.raises(UserError, match=rf"gives {what} for a batch of 3, .* forward must return .*\(batch, 3\)\."):
        train(configure(*words))


@pytest.mark.parametrize(
    ("model", "sentence"),
    (
        (Counts, r"Counts is built for 4 classes, and the data has 3: let it take num_classes, and pass it on: super"),
        (AllMembers, r"gives numbers of the shape \(30, 2, 3\) for a batch of 30, .* must return .*\(batch, 3\)\."),
        (Empty, r"Empty has no network: set self\.network in its __init__\."),
        (Breaks, r"Breaks: RuntimeError: of two lines, in test_own_code\.py, line"),
        (Forgets, r"Forgets\.training_step returns no loss, so nothing is learned: return it\."),
        (Detached, r"the loss has no gradients, so that nothing is learned: leave detach\(\), item\(\), argmax"),
        (Still, r"Still\.configure_optimizers returns no optimizer, so nothing is learned: return one\."),
        (Several, r"Training with multiple optimizers is only supported with manual optimization"),
        (LogsText, r"`self.log\(mine, text\)` was called, .* cannot be logged, in test_own_code\.py, line"),
        (GivesTextToTheLogger, r"could not convert string to float: 'text', in test_own_code\.py, line"),
        (DrawsText, r"could not convert string to float: 'text', in test_own_code\.py, line"),
        (Grows, r"does not fit Grows \(size mismatch for seen: .*\): whenever the class is built, its parameters"),
        (Wide, r"gives numbers of the shape \(10, 4\) for a batch of 10, and there are 3 classes"),
        (Plain, r"Plain is no Classifier: derive it from proj\.models\.classifier\.Classifier"),
        (Narrow, r"Narrow is no Classifier: derive it from"),
        (Fixed, r"Fixed takes no input_shape: its __init__ must take input_shape, optimizer, scheduler, or \*\*setti"),
    ),
)
def test_a_model_of_ones_own_that_cannot_be_trained_is_told_what_it_lacks(configure, model, sentence):
    words = (f"model._target_={__name__}.{model.__name__}", "~model.activation", "trainer.max_epochs=1")
    with pytest.raises(UserError, match=sentence), user_errors():
        train(configure(*words))


def test_layers_that_torch_neither_trains_nor_saves_are_named(configure, capsys):
    train(configure(f"model._target_={__name__}.InLists", "~model.activation", "trainer.max_epochs=1"))
    said = " ".join(capsys.readouterr().out.split())
    assert "in a plain list, tuple or dictionary (InLists.blocks, InLists.scales) are neither trained nor saved" in said


def test_a_data_dir_that_a_dataset_of_ones_own_does_not_read_is_refused(tmp_path):
    content = "_target_: wine.Wine\nbatch_size: 8\n"
    write(tmp_path, {"wine.py": "", "conf/dataset/wine.yaml": content})
    write(tmp_path, {"conf/dataset/kept.yaml": f"{content}data_dir: a"})
    for name, cure in (("wine", "leave it out"), ("kept", "type dataset.data_dir=…, or write data_dir: ${data_dir}")):
        said = refused(tmp_path, "--config-dir=conf", f"dataset={name}", "data_dir=new", "model=mlp", "seed=1,2")
        assert f"data_dir=new has no effect, since dataset={name} does not read it: {cure}" in said
    iris = {"dataset": {"_target_": "proj.data.IrisDataModule"}, "data_dir": "t.csv"}
    of_hydra = {"overrides": {"task": ["dataset=iris", "data_dir=t.csv"]}, "runtime": {"choices": {"dataset": "iris"}}}
    cfg = OmegaConf.create(iris | {"hydra": of_hydra})
    refuse_unread_data(cfg, swept=["dataset=iris"])  # another job of the sweep may read it
    with pytest.raises(UserError, match=r"data_dir=t\.csv has no effect, since dataset=iris does not read it"):
        refuse_unread_data(cfg, swept=["seed=1"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    (
        (b"hidden: [8\n", "conf/model/broken.yaml, line 2, is no YAML: expected ',' or ']', but got '<stream end>'."),
        (b"hidden: [8]  # caf\xe9\n", "conf/model/broken.yaml is no YAML in UTF-8: save it anew"),
        (b"hidden: [8]  # \x0e\n", "conf/model/broken.yaml is no YAML in UTF-8: save it anew"),
    ),
)
def test_a_yaml_file_that_is_none_is_named_with_its_line(tmp_path, content, sentence):
    write(tmp_path, {"conf/model/broken.yaml": ""})
    (tmp_path / "conf/model/broken.yaml").write_bytes(content)
    assert sentence in refused(tmp_path, "--config-dir=conf", "model=broken", "seed=1,2")
