"""A sweep's folder that somebody else made starts nothing of its own when it goes on. No test here trains."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from support.sweeps import GRID, config, refused, resume, run

from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.sweep_file import read_manifest
from proj.sweeps.trust import check_job, check_sweep

HARM = "{_target_: os.system, command: touch harmed}"


@pytest.fixture
def copied(ended_sweep) -> Path:
    """The folder of a genuine sweep."""
    return ended_sweep(*GRID)


def rewrite(file: Path, change) -> None:
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def test_lists_within_ten_thousand_others_make_a_sweeps_file_a_damaged_one(copied):
    (copied / "sweep.yaml").write_text("[" * 10_000 + "\n")
    with pytest.raises(UserError, match=r"sweep\.yaml is damaged"):
        read_manifest(copied)


@pytest.mark.parametrize(
    "word",
    [
        f"+hydra.callbacks.x={HARM}",
        "hydra.callbacks.check._target_=evil.Check",
        "hydra.launcher._target_=evil.Launcher",
        "hydra.sweeper._target_=os.system",
        "hydra/sweeper=basic",  # Hydra's own, which would run jobs that nobody has checked
        "hydra.searchpath=[pkg://evil]",
        "hydra={searchpath: [pkg://evil]}",
        "hydra.job_logging.handlers.file.filename=/tmp/harmed",
        "hydra.hydra_logging.handlers.screen.class=evil.Handler",
        "+hydra.job.env_set.LD_PRELOAD=./evil.so",
        "+hydra.job.env_set.PYTHONPATH=evil",
        "hydra.job.name=../../harmed",
        "--config-dir=evil",
        "-cp=evil",
        7,
        "hydra/launcher=submitit_slurm|hydra.launcher.setup=[touch harmed]",
        "hydra/launcher=submitit_slurm|+hydra.launcher.additional_parameters.wrap=touch",
        "hydra/launcher=submitit_slurm|hydra.launcher.submitit_folder=/tmp/harmed",
        "hydra/launcher=submitit_slurm|hydra.launcher.partition='a\ntouch harmed'",
        "hydra/launcher=submitit_slurm|+hydra.launcher.python=evil",
        "hydra/launcher=ray|hydra.launcher.ray.init.address=ray://evil:1",
        "hydra/sweeper=optuna|hydra.sweeper.sampler._target_=optuna.samplers.CmaEsSampler",
        "hydra/sweeper=optuna|hydra.sweeper.pruner._target_=os.system",
    ],
)
def test_no_word_of_a_sweeps_file_starts_anything(copied, word):
    place = "overrides" if word == 7 or "callbacks" in word or "setup" in word else "hydra"  # Hydra tells them apart
    words = word.split("|") if isinstance(word, str) else [word]
    rewrite(copied / "sweep.yaml", lambda about: about[place].extend(words))
    with pytest.raises(UserError, match=r"malicious|add trust=hydra\.|holds no configuration"):
        check_sweep(copied, read_manifest(copied), [])


@pytest.mark.parametrize(
    "word",
    [
        "hydra/launcher=joblib hydra.launcher.n_jobs=2",
        "hydra/launcher=submitit_slurm hydra.launcher.partition=gpu_a100 +hydra.launcher.gres=gpu:2",
        "hydra/launcher=ray hydra.launcher.ray.remote.num_cpus=2",
        "hydra/sweeper=optuna hydra.sweeper.sampler._target_=optuna.samplers.RandomSampler hydra.sweeper.n_trials=3",
        "+hydra.job.env_set.OMP_NUM_THREADS=1",
    ],
)
def test_ordinary_words_of_a_sweep_need_no_trust(copied, word):
    rewrite(copied / "sweep.yaml", lambda about: about["hydra"].extend(word.split()))
    check_sweep(copied, read_manifest(copied), [])


def test_the_copy_of_conf_starts_nothing_either(copied, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)  # as the working folder is, in which a sweep lies
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text(f"open({str(tmp_path / 'harmed')!r}, 'w')")
    for name, text in (
        ("hydra/callbacks/check.yaml", f"check: {HARM}"),
        ("hydra/sweeper/grid.yaml", "_target_: evil.Sweeper"),
        ("train.yaml", (copied / "conf/train.yaml").read_text() + "  searchpath: [pkg://evil]\n"),
        ("train.yaml", (copied / "conf/train.yaml").read_text() + r'  "search\x70ath": [pkg://evil]' + "\n"),
        ("optimizer/adamw.yaml", "# @package _global_\nhydra: {callbacks: {x: " + HARM + "}}"),
    ):
        before = (copied / "conf" / name).read_text()
        (copied / "conf" / name).write_text(text)
        with pytest.raises(UserError, match=r"add trust=hydra\."):
            check_sweep(copied, read_manifest(copied), [])
        (copied / "conf" / name).write_text(before)
    assert not (tmp_path / "harmed").exists()
    check_sweep(copied, read_manifest(copied), [])


def test_a_launcher_is_named_by_no_path_to_a_file_of_the_sweep(copied):
    start = "hydra: {launcher: {_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher}, callbacks: {x: "
    (copied / "conf/hydra/launcher/evil.yaml").write_text(f"# @package _global_\n{start}{HARM}}}}}\n")
    word = f"hydra/launcher={'../' * 40}{copied / 'conf/hydra/launcher/evil'}".replace("//", "/")
    rewrite(copied / "sweep.yaml", lambda about: about["hydra"].append(word))
    with pytest.raises(UserError, match=r"os\.system.* add trust=hydra\.callbacks\.x"):
        check_sweep(copied, read_manifest(copied), [])


@pytest.mark.parametrize("name", ("1_seed=2", ".trials"))
def test_a_link_to_a_folder_elsewhere_is_no_job(copied, tmp_path, name):
    shutil.rmtree(copied / name, ignore_errors=True)
    (copied / name).symlink_to(tmp_path)
    with pytest.raises(UserError, match="is a link to a folder elsewhere"):
        check_sweep(copied, read_manifest(copied), [])


@pytest.mark.parametrize(
    ("key", "value", "refused"),
    [
        ("dirpath", "/elsewhere", True),
        ("dirpath", "link", True),
        ("filename", "../../x", True),
        ("filename", "${choices.model}", True),  # which may be anything
        ("dirpath", "${output_dir}/also", False),
        ("dirpath", "${hydra:runtime.output_dir}", False),
    ],
)
def test_the_callbacks_of_a_job_write_into_its_folder_alone(copied, tmp_path, key, value, refused):
    job = next(copied.glob("0_*"))
    (job / "link").symlink_to(tmp_path)
    value = str(job / value) if value == "link" else value
    rewrite(job / "job.yaml", lambda content: content["callbacks"]["best"].update({key: value}))
    with pytest.raises(UserError, match=rf"add trust=callbacks.best.{key}") if refused else nullcontext():
        assert Sweep(copied, read_manifest(copied), trust=[]).checked_job(job.name)


PLACES = [("jobs", {name: ["seed=1"]}) for name in ("../0_seed=1", "/tmp/harmed", "..", "a/b")]
PLACES += [("config_name", "../train"), ("config_name", "/tmp/harmed")]


@pytest.mark.parametrize(("key", "value"), PLACES)
def test_jobs_and_options_lie_in_the_folder_of_their_sweep(copied, key, value):
    rewrite(copied / "sweep.yaml", lambda about: about.update({key: value}))
    with pytest.raises(UserError, match=r"no folder of the sweep|makes Hydra read other files"):
        check_sweep(copied, read_manifest(copied), [])


def test_a_hostile_job_is_refused_and_the_sentence_names_it(copied, tmp_path):
    job = next(copied.glob("0_*"))
    (job / "metrics.json").unlink()
    rewrite(job / "job.yaml", lambda content: content["model"].update(loss={"_target_": "os.system", "command": "x"}))
    assert "os.system (model.loss)" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")


def test_a_link_in_a_jobs_folder_to_a_file_elsewhere_is_refused(copied, tmp_path):
    (tmp_path / "precious").touch()
    job = next(copied.glob("*/job.yaml")).parent
    (job / "train.log").unlink(missing_ok=True)
    (job / "train.log").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"train.log is a link to a file elsewhere"):
        Sweep(copied, read_manifest(copied), trust=[]).checked_job(job.name)


def test_what_a_job_says_of_its_start_is_not_heard(copied, tmp_path):
    job = next(copied.glob("0_*"))
    (job / "metrics.json").unlink()

    def change(content: dict) -> None:
        handler = {"()": "os.system", "command": "touch harmed"}
        content["hydra"]["job_logging"] = {"version": 1, "handlers": {"x": handler}}
        content["hydra"]["callbacks"] = {"x": {"_target_": "os.system", "command": "touch harmed"}}
        content["hydra"]["job"]["name"] = content["hydra"]["sweep"]["subdir"] = "../harmed"
        content["output_dir"] = str(tmp_path / "harmed")

    rewrite(job / "job.yaml", change)
    resume(tmp_path)
    assert (job / "metrics.json").is_file() and not list(tmp_path.rglob("*harmed*"))


@pytest.mark.parametrize("text", ["${oc.env:SECRET}", "${new_folder:harmed}", "${oc.create:{a: 1}}", "${${seed}}"])
def test_a_frozen_job_looks_up_its_own_settings_alone(copied, text):
    content = config(next(copied.glob("0_*")), "job.yaml")
    content.pop("hydra")
    check_job(content | {"data_dir": "x"}, Path("job.yaml"), ["gone.py"])  # of a file that changed since
    with pytest.raises(UserError, match=r"looks up .* add trust=model\.hidden"):
        check_job(content | {"model": content["model"] | {"hidden": text}}, Path("job.yaml"), [])


def test_the_command_that_goes_on_with_ones_own_classes_names_their_module(tmp_path):
    (tmp_path / "mine.py").write_text("from proj.models import MLP\n\nclass Net(MLP):\n    pass\n")
    run(tmp_path, *GRID, "model=mlp", "model._target_=mine.Net", "monitor=val/acc")
    job = next((tmp_path / "outputs/sweeps/s").glob("1_*"))
    (job / "metrics.json").unlink()
    assert "add trust=mine" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")
    resume(tmp_path, "trust=mine")
    assert (job / "metrics.json").is_file()


def test_a_sweep_whose_command_refers_to_its_own_settings_goes_on_in_other_processes(tmp_path):
    run(tmp_path, *GRID, "optimizer.weight_decay=${optimizer.lr}", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    job = next((tmp_path / "outputs/sweeps/s").glob("1_*"))
    (job / "metrics.json").unlink()
    resume(tmp_path)
    assert (job / "metrics.json").is_file()


def test_a_sweep_that_is_named_without_resume_or_with_spaces_is_told_how_to_name_it(mistake, tmp_path):
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / "sweep.yaml").write_text("overrides: []\n")
    assert mistake("proj.sweep", "s1").endswith("name the sweep to resume: python -m proj.sweep resume=s1")
    said = mistake("proj.sweep", "resume", "=", "s1")
    assert said.endswith("to resume, without spaces around the =: python -m proj.sweep resume=s1")
