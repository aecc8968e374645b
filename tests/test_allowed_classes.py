"""A file that somebody else made runs no code here, whatever its configuration names and wherever it names it."""

import copy
import functools
import itertools
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import packages_distributions
from pathlib import Path
from shlex import quote
from types import ModuleType

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from support.processes import in_child
from support.runs import rewritten

from proj.checkpoint import file
from proj.checkpoint.file import load_checkpoint, load_model
from proj.config.allowed_classes import check_stored, destinations, needs_trust, resume_command
from proj.config.compose import literal, resolved
from proj.config.instantiate import build
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.reports.runs import read_run
from proj.system.run_folder import parse_yaml
from proj.training.build import build_data_and_model, build_trainer
from proj.training.run import train
from proj.use.evaluation import open_data

HARM = (
    {"_target_": "torch.load", "f": "evil.pkl", "weights_only": False},
    {"_target_": "os.system", "command": "touch harmed"},
    {"_target_": "subprocess.run", "args": ["touch", "harmed"]},
    {"_target_": "proj.sweep.git", "_args_": ["-c", "alias.x=!touch harmed", "x"]},
    {"_target_": "builtins.open", "file": "harmed", "mode": "w"},
    {"_target_": "builtins.exec", "_args_": ["open('harmed', 'w')"], "_partial_": True},
    {"_target_": "evil.Model"},
    {"_target_": "proj.config.build", "node": {"_target_": "os.mkdir", "path": "harmed"}},
    {"_target_": "hydra.utils.instantiate", "_args_": [{"_target_": "antigravity.x"}]},
    {"_target_": "urllib.request.urlopen", "url": "http://127.0.0.1:9/"},
    {"_target_": ["os", "system"]},
    {"x": [{"_target_": "os.remove", "path": "kept"}]},
    "${oc.env:SECRET}",
    "${oc.create:{_target_: os.system, command: touch harmed}}",
    "${new_folder:harmed}",
)


def places(node, *way) -> Iterator[tuple]:
    """The way to every value of a configuration, and to a new one in each of its mappings."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*way, key)
        if isinstance(value, dict | list):
            yield from places(value, *way, key)
    if isinstance(node, dict):
        yield (*way, "another")


def hostile(config: dict) -> Iterator[tuple[dict, bool]]:
    """Copies of a genuine configuration, each with one of HARM at one place, or as the class that is named there: four
    for each place; and whether it is text alone, which may be read as it stands."""
    harms = itertools.cycle(HARM)
    for way in places(config):
        for harm in itertools.islice(harms, 4):
            made = copy.deepcopy(config)
            node = made
            for key in way[:-1]:
                node = node[key]
            named = way[-1] == "_target_" and isinstance(harm, dict)
            node[way[-1]] = harm.get("_target_", "os.system") if named else harm
            yield made, isinstance(harm, str)


def watch(outside: list[str], folder: Path) -> None:
    """List what this process does from now on that no configuration of a file's may make it do."""
    known = {*sys.stdlib_module_names, *packages_distributions(), "proj", "hydra_plugins", "support"}

    def see(event: str, details: tuple) -> None:
        if event == "import":
            name = str(details[0]).split(".")[0]
            bad = name not in known or name in ("antigravity", "evil")
        elif event == "open":
            path, mode, flags = details
            writes = any(letter in mode for letter in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR))
            bad = writes and not str(path).startswith((str(folder / "run"), os.devnull))
        else:
            bad = event in ("socket.connect", "subprocess.Popen", "pickle.find_class") or (
                event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.rmdir")
                or (event == "os.mkdir" and not str(details[0]).startswith(str(folder / "run")))
            )
        if bad:
            outside.append(f"{event} {details[:2]}")

    sys.addaudithook(see)


@pytest.mark.parametrize(
    ("words", "share", "folders"), (([], 2, 16), (["dataset=mnist", "model=cnn", "model.widths=[4]", "tta=true"], 3, 6))
)
def test_no_place_of_a_stored_configuration_runs_code(words, share, folders, trained, tmp_path, monkeypatch):
    """share: one of so many configurations is tried; of these one in `folders` also as a run's config.yaml, which takes
    longer to read."""
    path = trained(*words) / "best.ckpt"
    checkpoint = load_checkpoint(path)
    pairs = list(hostile(checkpoint["proj"]["config"]))[::share]
    made, texts = [config for config, _ in pairs], [config for config, text in pairs if text]
    assert len(made) >= 350 / share
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "a secret")
    (tmp_path / "evil.py").write_text("open('harmed', 'w')")
    (tmp_path / "kept").touch()
    (tmp_path / "run").mkdir()
    import optuna.pruners  # noqa: F401
    import sympy  # noqa: F401 (torch imports it now and then, and it looks for faster numbers)

    genuine = stored_config(path.parent, [])
    genuine.trainer.precision = "32-true"
    build_trainer(tmp_path / "run", genuine, build_data_and_model(genuine)[0], [], [])  # imports what it takes
    sys.path.insert(0, "")

    def attack() -> dict:
        outside: list[str] = []
        seen = dict.fromkeys(("refused", "read", "opened", "secrets"), 0)
        watch(outside, tmp_path)
        for config in made:  # as a checkpoint holds it, which is not written and read each time
            contents = checkpoint | {"proj": checkpoint["proj"] | {"config": config}}
            monkeypatch.setattr(file, "load_checkpoint", lambda path, contents=contents: contents)
            try:
                seen["secrets"] += "a secret" in read_checkpoint(tmp_path / "run")
                seen["read"] += 1
            except UserError:
                seen["refused"] += 1
        for config in made[:: 2 * folders] + texts[:: folders // 2]:
            (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(config))
            with suppress(Exception):  # of values that are of another type
                seen["secrets"] += "a secret" in read_folder(tmp_path / "run")
                seen["opened"] += 1
        return seen | {"outside": outside}

    seen = in_child(attack)
    assert not seen["outside"] and not seen["secrets"]
    assert seen["read"] > 20 / share and seen["refused"] > 75 / share and seen["opened"], seen
    assert not (tmp_path / "harmed").exists() and (tmp_path / "kept").exists()


def read_checkpoint(folder: Path) -> str:
    """What `evaluate` and `predict` do with a checkpoint, up to the measuring."""
    model, known = load_model(folder / "a.ckpt")
    with suppress(UserError):  # a folder of data that is not there, a seed that is a text
        open_data(known)
    return repr(model.hparams)


def read_folder(folder: Path) -> str:
    """What `python -m proj.train resume=…` does with a run's folder, up to the training."""
    cfg = resolved(stored_config(folder, []))
    data, _ = build_data_and_model(cfg)
    cfg.trainer.precision = "32-true"
    trainer = build_trainer(folder, cfg, data, [], [])
    return json.dumps([str(cfg), trainer.default_root_dir], default=str)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's own in the working folder, with a class and something that it imports."""
    (tmp_path / "mine.py").write_text(
        "import os, torch\nfrom proj.models import MLP\n\nclass Net(MLP):\n    pass\n\nclass Sum(torch.nn.Module):\n"
        "    def forward(self, logits, y):\n        return torch.nn.functional.cross_entropy(logits, y)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield {"model": {"_target_": "mine.Net", "hidden": [4], "loss": {"_target_": "mine.Sum"}}}
    sys.modules.pop("mine", None)


def test_ones_own_classes_are_taken_from_a_file_that_is_trusted_and_the_sentence_says_how(own):
    with pytest.raises(UserError, match=r"^a.ckpt names .* mine.Net \(model\), mine.Sum \(model.loss\).*trust=mine$"):
        check_stored(own, "a.ckpt")
    assert "mine" not in sys.modules
    assert check_stored(own, "a.ckpt", ["mine"]) == own
    assert check_stored(own, "a.ckpt", ["mine.Net", "mine.Sum"]) == own
    assert needs_trust(own) == {"mine"}
    model = build(own["model"], input_shape=(4,), num_classes=3)
    assert type(model).__name__ == "Net" and type(model.loss).__name__ == "Sum"


def test_what_a_trusted_module_has_only_imported_is_not_trusted_with_it(own):
    for target in ("mine.os.system", "mine.torch.load", "mine.torch.hub.load", "mine.MLP"):
        with pytest.raises(UserError, match="names code that is not part of this project"):
            check_stored({"model": {"_target_": target}}, "a.ckpt", ["mine"])
    with pytest.raises(UserError, match=r"mine.Missing cannot be loaded"):
        check_stored({"model": {"_target_": "mine.Missing"}}, "a.ckpt", ["mine"])
    with pytest.raises(UserError, match="Treat it as malicious"):
        check_stored({"model": {"_target_": "os.system"}}, "a.ckpt", ["mine"])


@pytest.mark.parametrize("target", ("mine.Missing", "nowhere.Net", "__main__.Net"))
def test_who_has_renamed_or_moved_a_module_is_told_to_undo_it(own, monkeypatch, target):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # as in a script, where it has no spec
    config, word = {"model": {"_target_": target}}, target.split(".")[0]
    said = rf"If it is your own, (give the file and the class the names .*, and )?add trust={word}$"
    with pytest.raises(UserError, match=said):
        check_stored(config, "a.ckpt")
    with pytest.raises(UserError, match=f"{target} cannot be loaded .*: give the file and the class the names and the"):
        check_stored(config, "a.ckpt", [word])


@pytest.mark.parametrize("trust", ([], ["gone"]))
def test_a_checkpoint_opens_without_the_classes_of_what_only_a_training_builds(trained, tmp_path, trust):
    with rewritten(trained() / "best.ckpt", tmp_path / "x.ckpt") as checkpoint:
        config = checkpoint["proj"]["config"]
        config["callbacks"]["mine"] = config["optimizer"] = config["scheduler"] = {"_target_": "gone.Class"}
    load_model(tmp_path / "x.ckpt", trust)
    for part in ("model", "dataset"):
        with rewritten(tmp_path / "x.ckpt", tmp_path / "y.ckpt") as checkpoint:
            checkpoint["proj"]["config"][part]["_target_"] = "gone.Class"
        with pytest.raises(UserError, match=r"gone.Class \(\w+\)\. If|gone.Class cannot be loaded"):
            load_model(tmp_path / "y.ckpt", trust)


def test_a_word_of_trust_that_is_no_module_is_refused_also_where_a_finished_run_is_resumed(trained):
    with pytest.raises(UserError, match=r"^trust=nowhere: there is no module of that name here"):
        stored_config(trained(), [], ["nowhere"])
    for word in ("support.classes", "callbacks.best.dirpath", "tests/support.py", "json.py"):
        assert stored_config(trained(), [], [word])


@pytest.mark.parametrize(
    "text", ("${oc.env:SECRET}", r"\${a}", "a\\\\${b}", "${", "$${a}", r"\\\${x}${y}", "\\", "a}${b}\\")
)
def test_text_of_a_file_is_never_looked_up(text, monkeypatch):
    monkeypatch.setenv("SECRET", "a secret")
    cfg = resolved(resolved(OmegaConf.create(literal({"text": text, "list": [text]}))))
    assert cfg.text == cfg.list[0] == text
    assert OmegaConf.to_container(cfg, resolve=True) == {"text": text, "list": [text]}
    assert build({"_target_": "builtins.dict", "text": text, "list": [text]}) == {"text": text, "list": [text]}


@pytest.mark.parametrize("place", ("dirpath=/elsewhere", "dirpath=../beside", "filename=../../x", "filename=/x"))
def test_a_run_that_goes_on_writes_into_its_folder_alone(place, trained, tmp_path):
    config = yaml.safe_load((trained() / "config.yaml").read_text())
    where, what = place.split("=")
    config["callbacks"]["best"][where] = what
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=rf"would write to .*trust=callbacks.best.{where}"):
        stored_config(tmp_path, [])
    assert stored_config(tmp_path, [], [f"callbacks.best.{where}"])


@pytest.mark.parametrize("name", (".lock", "events.out.tfevents.1.0.proj"))
def test_a_run_that_goes_on_changes_no_file_elsewhere_through_a_link(name, trained, tmp_path):
    run, precious = shutil.copytree(trained(), tmp_path / "run"), tmp_path / "precious"
    precious.write_text("mine")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to("../precious")
    (run / "latest.ckpt").symlink_to("best.ckpt")  # within the folder a link is harmless
    with pytest.raises(UserError, match=rf"/run/{re.escape(name)} is a link to a file elsewhere"):
        train(stored_config(run, []))
    assert precious.read_text() == "mine"
    (run / name).unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(run / name)
        with pytest.raises(UserError, match=rf"/run/{re.escape(name)} is no file: remove it"):
            train(stored_config(run, []))
        (run / name).unlink()
    train(stored_config(run, []))


@pytest.mark.parametrize(
    ("name", "refused"), (("../x", True), ("..", True), ("/x", True), (r"a\x", True), ("C:x", True), ("a.b, c", False))
)
def test_a_loggers_name_from_a_file_is_no_folder_to_write_to(name, refused):
    config = {"logger": {"tensorboard": {"name": name, "notes": "a/b: c", "project": "a/b"}}}
    assert [*destinations(config)] == ["logger.tensorboard.name"] * refused


def test_the_folder_of_a_callback_moves_with_its_run(trained, tmp_path):
    config = yaml.safe_load((trained() / "config.yaml").read_text())
    config["callbacks"]["also"] = config["callbacks"]["best"] | {"dirpath": f"{config['output_dir']}/also"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert stored_config(tmp_path, []).callbacks.also.dirpath == str(tmp_path / "also")
    assert resume_command(tmp_path) == f"python -m proj.train resume={quote(str(tmp_path))}"


def test_a_stored_configuration_fetches_no_data_unless_a_folder_is_named(trained, data_dir, tmp_path):
    folder = trained("dataset=mnist", "model=mlp")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data_dir"] = config["dataset"]["data_dir"] = str(tmp_path / "nothing")
    config["dataset"]["source"]["download"] = True
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=r"MNIST is missing or damaged in .*/nothing.*data_dir="):
        build_data_and_model(stored_config(tmp_path, []))
    assert not (tmp_path / "nothing").exists()
    for word in (f"data_dir={data_dir}", f"dataset.data_dir={data_dir}", "dataset.download=true"):
        assert stored_config(tmp_path, [word]).dataset.get("download", True)


def test_no_file_outside_its_folder_is_deleted_by_a_run_that_goes_on(configure, trained, tmp_path):
    run, victim = tmp_path / "run", tmp_path / "victim.ckpt"
    victim.touch()
    train(configure("scheduler=none", "trainer.max_epochs=1", folder=run))
    checkpoint = load_checkpoint(run / "last.ckpt")
    (state,) = (state for name, state in checkpoint["callbacks"].items() if name.startswith("ModelCheckpoint"))
    score = torch.tensor(0.0)
    state |= {"best_model_path": str(victim), "kth_best_model_path": str(victim), "best_model_score": score}
    state |= {"best_k_models": {str(victim): score}, "kth_value": score, "last_model_path": str(victim)}
    checkpoint["resume"]["attributes"] = [{"trainer": {"callbacks": [], "val_check_batch": 2, "_x": 1}}]
    torch.save(checkpoint, run / "last.ckpt")
    train(configure("scheduler=none", "trainer.max_epochs=3", folder=run))
    assert victim.exists() and (run / "best.ckpt").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    (("hello\n", "holds no configuration of this project"), ("a: [\n", "cannot be read, or is no YAML")),
)
def test_a_file_that_holds_something_else_is_no_configuration(tmp_path, content, said):
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=said):
        stored_config(tmp_path, [])


def test_lists_that_hold_each_other_many_times_are_refused_and_not_written_out(trained, tmp_path):
    shutil.copytree(trained(), tmp_path / "run")
    levels = ["  grow0: &a0 [1, 2, 3]", *(f"  grow{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 13))]
    stored = tmp_path / "run" / "config.yaml"
    text = stored.read_text() + "more:\n" + "\n".join(levels) + "\n"
    stored.write_text(text)
    with pytest.raises(ValueError, match="YAML aliases"):
        parse_yaml(text.encode())
    with pytest.raises(ValueError, match="YAML aliases"):  # of which 18 would make a text 729 times as long
        parse_yaml(b"a: [&a [1], &b [*a, *a, *a], [*b, *b]]")
    with pytest.raises(UserError, match=r"config\.yaml cannot be read.*YAML aliases"):
        stored_config(tmp_path / "run", [])
    assert read_run(tmp_path / "run").config == {}
    for name in ("within", 1.5):  # the name of a class may read as a number
        with rewritten(trained() / "best.ckpt", tmp_path / "x.ckpt") as checkpoint:
            checkpoint["proj"]["config"]["more"] = {name: yaml.safe_load("\n".join(levels))}
        with pytest.raises(UserError, match=r"more than 100,000 settings.*malicious"):
            load_model(tmp_path / "x.ckpt")


@pytest.mark.parametrize("beside", ("", "*" * 30))
def test_lists_within_too_many_others_are_refused_at_once_by_libyaml(beside):
    with pytest.raises(yaml.YAMLError, match="nesting depth"):
        parse_yaml(("[" * 5000 + beside + "\n").encode())


def test_sizes_that_a_checkpoint_names_take_no_memory_before_they_fit_its_weights(trained, tmp_path):
    with rewritten(trained("dataset=mnist", "model=mlp") / "best.ckpt", tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["model"]["hidden"] = [10**7, 10**7]  # 400 TB
    with pytest.raises(UserError, match="does not hold a model of this project"):
        load_model(tmp_path / "x.ckpt")
    with rewritten(trained("dataset=mnist", "model=mlp") / "best.ckpt", tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["model"]["hidden"] = [10**5, 10**5]  # one number stands for 40 GB
        with torch.device("meta"):
            sizes = build(checkpoint["proj"]["config"]["model"], input_shape=(1, 28, 28), num_classes=10).state_dict()
        weights = {name: torch.zeros((), dtype=size.dtype).expand(size.shape) for name, size in sizes.items()}
        checkpoint["state_dict"] = weights
    with pytest.raises(UserError, match="more than ten times the memory"):
        load_model(tmp_path / "x.ckpt")


NAN, NO_MODEL = float("nan"), "does not hold a model of this project"
NO_FIGURES = [("calibration.temperature", value, NO_MODEL) for value in (0.0, NAN, "1; import os", None)]
NO_FIGURES += [("calibration.smoothing", value, NO_MODEL) for value in (1.0, -0.1)]
NO_COSTS = ([1.0], [1.0, NAN, 1.0], "1; import os", [1, -1, 1])
NO_FIGURES += [("calibration.threshold", {"costs": costs}, NO_MODEL) for costs in NO_COSTS]
NO_FIGURES += [("positive", value, NO_MODEL) for value in (3, "yes", 0.5)]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    (
        ("config.model.hidden", [1] * 90_000, "of 1000 layers at most"),
        ("config.model.loss", "x", "a loss that is no function: 'x'"),
        ("config.trainer.precision", "x", "trainer.precision=x is not"),
        ("config.dataset.batch_size", "x", "dataset.batch_size=x is not a whole number"),
        *NO_FIGURES,
    ),
)
def test_a_checkpoint_with_a_setting_or_a_figure_that_no_training_gives_is_damaged(trained, tmp_path, key, value, said):
    *above, name = key.split(".")
    with rewritten(trained() / "best.ckpt", tmp_path / "x.ckpt") as checkpoint:
        functools.reduce(dict.get, above, checkpoint["proj"])[name] = value
    with pytest.raises(file.DamagedCheckpoint, match=rf"^{tmp_path}/x.ckpt .*{re.escape(said)}"):
        load_model(tmp_path / "x.ckpt")


DAMAGED = r"every checkpoint in .*/run is damaged \(last\.ckpt\.damaged\)"


@pytest.mark.parametrize(
    ("change", "said"),
    (
        (lambda made: made["resume"].pop("seconds"), DAMAGED),
        (lambda made: made["proj"]["config"].update(x=made["proj"]["config"]), DAMAGED),
        (lambda made: made["loops"].pop("fit_loop"), r"last\.ckpt does not hold what a run goes on from \(KeyError"),
        (lambda made: made["callbacks"].update(dict.fromkeys(made["callbacks"])), "does not hold what a run goes on"),
    ),
)
def test_a_crafted_checkpoint_from_which_a_run_shall_go_on_ends_in_a_sentence(trained, tmp_path, change, said):
    run = shutil.copytree(trained(), tmp_path / "run")
    for name in ("metrics.json", "previous.ckpt"):
        (run / name).unlink(missing_ok=True)
    with rewritten(run / "last.ckpt") as checkpoint:
        change(checkpoint)
    with pytest.raises(UserError, match=said):
        train(stored_config(run, []))


def test_a_compressed_checkpoint_fills_no_memory(tmp_path):
    torch.save({"zeros": torch.zeros(10**7)}, tmp_path / "large.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "large.ckpt") as large,
        zipfile.ZipFile(tmp_path / "small.ckpt", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in large.namelist():
            small.writestr(name, large.read(name))
    assert (tmp_path / "small.ckpt").stat().st_size < 10**5
    with pytest.raises(UserError, match="its records are larger than the file"):
        load_model(tmp_path / "small.ckpt")
