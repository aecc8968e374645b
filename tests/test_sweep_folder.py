"""What becomes of a sweep when its folder, command or surroundings have changed. No test here trains."""

import errno
import functools
import json
import os
import pickle
import re
import shlex
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution, IntDistribution
from support.sweeps import (
    GRID,
    QUICK,
    RATES,
    SEARCH,
    config,
    die_while_freezing,
    names,
    refused,
    replace_training,
    resume,
    run,
    sweep,
)

from proj.config.explain import explain
from proj.config.new_folder import refuse_files_of_others
from proj.config.words import as_hydra_reads
from proj.errors import UserError
from proj.reports.runs import find_runs
from proj.sweeps.folder import Sweep
from proj.sweeps.frozen_loader import FrozenLoader
from proj.sweeps.search import distribution, write_importance
from proj.sweeps.summary import files_of_data, telling_how_to_continue
from proj.sweeps.sweep_file import chosen_by, copy_conf, read_manifest
from proj.system.run_folder import RunFolder, SweepFolder
from proj.training.pruning import Prune, Pruned, open_study


def test_a_job_whose_folder_was_deleted_is_run_again_as_it_was_frozen(tmp_path):
    run(tmp_path, *GRID)
    folder = tmp_path / "outputs/sweeps/s"
    first, frozen = config(folder / "1_seed=2"), config(folder / "1_seed=2", "job.yaml")
    train = folder / "conf/train.yaml"
    train.write_text(train.read_text().replace("save_every: 30", "save_every: 7"))
    shutil.rmtree(folder / "1_seed=2")
    finished = (folder / "0_seed=1/metrics.json").stat()
    assert "2 runs (finished)" in resume(tmp_path) and (folder / "0_seed=1/metrics.json").stat() == finished
    again = config(folder / "1_seed=2", "job.yaml")
    assert again.pop("save_every") == 7 and frozen.pop("save_every") == 30  # composed from the sweep's copy of conf/
    again["hydra"] = frozen["hydra"] = None  # its command line
    assert again == frozen and config(folder / "1_seed=2")["data_dir"] == first["data_dir"]
    (folder / "1_seed=2/job.yaml").write_text("seed: [")  # damaged, as its run's folder was
    (folder / "1_seed=2/metrics.json").unlink()
    assert "2 runs (finished)" in resume(tmp_path)


def play_and_delete_the_next_job() -> None:
    def figure(cfg) -> float:
        if cfg.seed == 1:
            shutil.rmtree(Path(cfg.output_dir).parent / "1_seed=2")
        return 0.5

    replace_training(figure)


def test_a_job_whose_folder_is_deleted_while_another_runs_is_run_all_the_same(tmp_path):
    said = run(tmp_path, *GRID, before=play_and_delete_the_next_job)
    assert "2 runs (finished)" in said and config(tmp_path / "outputs/sweeps/s/1_seed=2")["seed"] == 2


def test_a_sweep_whose_folder_is_moved_while_it_runs_says_so(tmp_path):
    moved = SimpleNamespace(folder=tmp_path / "s", files=SweepFolder(tmp_path / "s"))
    with pytest.raises(UserError, match="s was moved or deleted: continue with"), telling_how_to_continue(moved):
        raise ValueError("Primary config directory not found")


def test_a_finished_job_whose_frozen_configuration_is_lost_still_counts_and_is_frozen_again(ended_sweep, tmp_path):
    folder = ended_sweep(*GRID)
    first, second = (folder / name / "job.yaml" for name in names(folder))
    first.unlink()
    second.write_text("seed: [1")
    said = resume(tmp_path)
    assert "2 runs (finished)" in said and "The best again: python -m proj.train" in said
    assert [config(folder / name, "job.yaml")["seed"] for name in names(folder)] == [1, 2]


def test_a_trial_whose_folder_was_deleted_is_run_again_and_the_study_stays(ended_sweep, tmp_path):
    folder = ended_sweep(*SEARCH, RATES)
    before, there = [(t.params, t.value) for t in open_study(folder).trials], names(folder)
    shutil.rmtree(folder / there[1])
    (folder / there[2] / "metrics.json").unlink()
    assert "3 runs (finished)" in resume(tmp_path)
    assert names(folder) == there and [(t.params, t.value) for t in open_study(folder).trials] == before


def test_what_was_frozen_by_a_command_that_was_killed_is_no_job_of_the_next(tmp_path):
    code, *_ = sweep(tmp_path, "sweep_name=s", "seed=1,2,3,4,5,6", before=functools.partial(die_while_freezing, "3_"))
    folder = tmp_path / "outputs/sweeps/s"
    assert code == 9 and len(list(folder.glob("*/job.yaml"))) == 3
    for name, file in {"7_mine": "job.yaml", "8_notes": "notes.txt", "2_seed=3 copy": "job.yaml"}.items():
        (folder / name).mkdir()
        shutil.copy(folder / "2_seed=3/job.yaml", folder / name / file)
    out = run(tmp_path, "sweep_name=s", "optimizer.lr=0.1,0.2")
    assert "2 runs (finished)" in out and names(folder) == ["0_optimizer.lr=0.1", "1_optimizer.lr=0.2"]
    left = {path.name for path in folder.iterdir() if path.is_dir()} - set(names(folder))
    assert left == {"conf", "7_mine", "8_notes", "2_seed=3 copy"}  # what it has not made itself


def test_a_new_sweep_deletes_no_folders_of_the_users_own(tmp_path):
    for file in (
        "1_k8s/train_job.yaml",
        "2_notes/job.yaml.bak",
        "3_empty/",
        "4_half/job.yaml.12345678.tmp",
        "5_seed=6/",
    ):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).mkdir() if file.endswith("/") else (tmp_path / file).write_text("x")
    Sweep(tmp_path).clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1_k8s", "2_notes", "3_empty"]
    assert (tmp_path / "1_k8s/train_job.yaml").read_text() == "x" and (tmp_path / "2_notes/job.yaml.bak").exists()


def test_a_git_diff_beside_frozen_jobs_is_of_a_sweep_that_was_killed_while_it_began(tmp_path):
    (tmp_path / "git.diff").touch()
    with pytest.raises(UserError, match="holds no sweep but git"):
        refuse_files_of_others(SweepFolder(tmp_path))
    (tmp_path / "0_seed=1").mkdir()
    (tmp_path / "0_seed=1/job.yaml").touch()
    refuse_files_of_others(SweepFolder(tmp_path))


@pytest.mark.parametrize("name", ["git.diff", "study.log", "importance.json", "report.csv", "report.md"])
def test_a_new_sweep_replaces_no_file_of_the_users_own(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}.* would replace it: move it away, or"):
        Sweep(tmp_path).read_if_begun(None)
    (tmp_path / name).unlink()
    assert not Sweep(tmp_path).read_if_begun(None)


@pytest.mark.parametrize("listed", [{}, {"0_seed=1": ["seed=1"]}])
def test_a_folder_that_a_grid_does_not_list_is_none_of_its_jobs(tmp_path, listed):
    (tmp_path / "1_seed=2").mkdir()
    job = {"hydra": {"sweep": {"subdir": "1_seed=2"}, "job": {"num": 1}}, "dataset": {}, "model": {}, "trainer": {}}
    (tmp_path / "1_seed=2/job.yaml").write_text(yaml.safe_dump(job))
    jobs = Sweep(tmp_path, {"jobs": listed}, dict(enumerate(listed))).find_jobs()  # a search lists none
    assert jobs == ([] if listed else ["1_seed=2"])


def test_ctrl_c_while_jobs_are_frozen_leaves_none_of_them(tmp_path):
    interrupt = functools.partial(signal.default_int_handler, signal.SIGINT, None)
    stop = functools.partial(die_while_freezing, "3_", interrupt)
    code, *_ = sweep(tmp_path, "sweep_name=s", "seed=1,2,3,4,5,6", before=stop)
    assert code == 130 and not [path for path in (tmp_path / "outputs/sweeps/s").iterdir() if path.is_dir()]


@pytest.mark.parametrize(("words", "copied"), [(GRID, "0_seed=1 (copy)"), ((*SEARCH, RATES), "mine")])
def test_a_stray_copy_of_a_jobs_folder_is_no_job(ended_sweep, tmp_path, words, copied):
    folder = ended_sweep(*words)
    there = names(folder)
    shutil.copytree(folder / there[0], folder / copied)
    if words is GRID:
        (folder / copied / "metrics.json").unlink()
    out = resume(tmp_path)
    assert f"{len(there)} runs (finished)" in out and f"{copied}/" not in out


GRID_OF_RATES = ("sweep_name=s", "optimizer.lr=0.01,0.1")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (GRID_OF_RATES, (*GRID_OF_RATES, "hydra/sweeper=optuna")),
        ((*GRID_OF_RATES, "hydra/sweeper=optuna"), GRID_OF_RATES),
        ((*SEARCH, RATES), (*SEARCH, RATES, "hydra.sweeper.sampler._target_=optuna.samplers.RandomSampler")),
        ((*SEARCH, RATES), (*SEARCH, RATES, "hydra.sweeper.seed=1")),
        (GRID, (*GRID, "+hydra.sweeper.params={optimizer.lr: '0.1,0.2'}")),
        (("sweep_name=s", "seed=1"), ("sweep_name=s", "seed=1", "++hydra.sweeper.params.seed='1,2'")),
    ],
)
def test_a_name_is_not_used_again_by_a_command_that_would_have_other_jobs(first, second):
    """`test_sweep` shows what is said then. The number of trials and the launcher may change."""

    def chosen(words: tuple[str, ...]):
        hydras = [word for word in words if word.lstrip("+").startswith("hydra")]
        return chosen_by([word for word in words if word not in hydras], hydras)

    assert chosen(first) != chosen(second)
    others = ("hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "hydra/launcher=joblib", "isolate=true")
    assert chosen(first) == chosen((*first, *others))


def stop_in_the_fourth() -> None:
    def figure(cfg) -> float:
        if cfg.trial.number == 3:
            raise SystemExit(130)
        return 0.5

    replace_training(figure)


def test_a_search_that_is_stopped_goes_on_to_as_many_trials_as_it_was_last_asked_for(ended_sweep, tmp_path):
    ended_sweep(*SEARCH, RATES)
    more = ("resume=outputs/sweeps/s", "hydra.sweeper.n_trials=6")
    code, out, _ = sweep(tmp_path, *more, module="sweep", before=stop_in_the_fourth)
    assert code == 130 and "To continue the sweep: python -m proj.sweep resume=outputs/sweeps/s\n" in out
    resume(tmp_path)
    assert len(names(tmp_path / "outputs/sweeps/s")) == 6
    said = run(tmp_path, *SEARCH, RATES)
    assert "hydra.sweeper.n_trials=3 adds no trial: the search already has 6." in said
    assert "adds no trial" not in resume(tmp_path)


def fail(cfg):
    RunFolder(cfg.output_dir).write_failure("failed", "the loss turned NaN")
    raise UserError("the loss turned NaN")


def test_a_search_whose_trials_all_failed_names_the_command_that_tries_others(tmp_path):
    code, _, err = sweep(tmp_path, *SEARCH, RATES, before=functools.partial(replace_training, fail))
    assert code == 1 and "3 of 3 jobs have no result" in err and err.count("failed: the loss turned NaN") == 1
    command = err.rpartition("To continue the sweep: python -m proj.sweep ")[2].split()
    run(tmp_path, *command, module="sweep")
    assert len(names(tmp_path / "outputs/sweeps/s")) == 3 == int(command[-1].rpartition("=")[2]) - 3


def test_a_search_goes_on_in_a_folder_that_was_moved(ended_sweep, tmp_path):
    ended_sweep(*SEARCH, RATES)
    (tmp_path / "it's kept").mkdir()
    folder = (tmp_path / "outputs/sweeps/s").rename(tmp_path / "it's kept/here,there")
    resume(tmp_path, "hydra.sweeper.n_trials=4", name="it's kept/here,there")
    resume(folder, "hydra.sweeper.n_trials=5", name=".")
    assert len(open_study(folder).trials) == 5 == len(names(folder))
    (folder / "study.log").unlink()
    err = refused(tmp_path, "resume=it's kept/here,there", module="sweep")
    assert "study.log does not know the trial 0" in err
    quoted = '"resume=it\'s kept/here,there"'
    assert quoted in refused(tmp_path, "hydra.sweep.dir='it\\'s kept/here,there'", "seed=1,2")
    assert quoted in refused(tmp_path, "resume=it's kept/here,there", module="train")


def test_a_searchs_goal_may_stand_in_its_file(tmp_path):
    params = "+hydra.sweeper.params={monitor: val/loss, mode: min, trainer.gradient_clip_val: null}"
    run(tmp_path, *SEARCH, "dataset.batch_size=interval(5,9)", params)
    study = open_study(tmp_path / "outputs/sweeps/s")
    sizes = [config(run.folder)["dataset"]["batch_size"] for run in find_runs([tmp_path / "outputs/sweeps/s"])]
    assert study.direction.name == "MINIMIZE" and all(type(size) is int and 5 <= size <= 9 for size in sizes)
    assert sorted(trial.value for trial in study.trials) == sorted(map(float, sizes))


def test_the_best_of_a_search_that_is_kept_as_a_file_can_be_swept_over_seeds(tmp_path):
    """As the sentence advises that refuses seeds=+6."""
    about = "# @package _global_\nhydra: {sweeper: {n_trials: 3, params: {optimizer.lr: 'interval(0.01,0.1)'}}}"
    (tmp_path / "own/sweep").mkdir(parents=True)
    (tmp_path / "own/sweep/rates.yaml").write_text(about)
    words = ("--config-dir=own", "sweep=rates")
    assert "is for a search: add hydra/sweeper=optuna" in refused(tmp_path, *words)
    said = run(tmp_path, *words, "hydra/sweeper=optuna", "sweep_name=s")
    again = shlex.split(said.partition("The best again: python -m proj.train ")[2].splitlines()[0])
    assert "2 runs (finished), 1 configuration" in run(
        tmp_path, *(word for word in again if word not in ("-m", *QUICK)), "seed=1,2"
    )


def test_a_search_with_two_goals_is_refused_before_the_first_trial(tmp_path):
    both = "monitor=val/acc,val/loss"
    for words in ((both,), (both, "mode=max,min"), (RATES, "+hydra.sweeper.params={monitor: 'val/acc,train/acc'}")):
        assert "a search has one goal" in refused(tmp_path, *SEARCH, *words)
        assert not (tmp_path / "outputs/sweeps/s").exists()


@pytest.mark.parametrize(
    ("word", "now", "expected"),
    [
        ("model.depth=interval(1,5)", 2, IntDistribution(1, 5)),
        ("model.depth=interval(start=1, end=5)", None, IntDistribution(1, 5)),
        ("model.depth=tag(log,interval(1,64))", 2, IntDistribution(1, 64, log=True)),
        ("model.depth=int(interval(1,5))", 0.5, IntDistribution(1, 5)),
        ("model.depth=interval(1,5.5)", 2, FloatDistribution(1, 5.5)),
        ("model.depth=interval(1.0,5)", 2, FloatDistribution(1, 5)),
        ("model.depth=float(interval(1,5))", 2, FloatDistribution(1, 5)),
        ("optimizer.weight_decay=interval(0,1)", 0.01, FloatDistribution(0, 1)),  # a setting that is no whole number
    ],
)
def test_an_interval_is_of_whole_numbers_where_both_ends_are(word, now, expected):
    assert distribution(OverridesParser.create().parse_override(word), now) == expected


@pytest.mark.parametrize("word", ["optimizer.lr=interval(1,0.1)", "optimizer.lr=tag(log,interval(0,1))"])
def test_an_interval_that_is_none_is_refused(word):
    with pytest.raises(UserError, match=re.escape(word)):
        distribution(OverridesParser.create().parse_override(word))


def test_a_sweep_finds_its_data_from_any_working_folder_and_when_it_has_moved(tmp_path):
    project, other = tmp_path / "project", tmp_path / "other"
    (project / "tables").mkdir(parents=True)
    other.mkdir()
    (project / "tables/a.csv").write_text("x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    run(project, *GRID, "dataset=csv", "data_dir=tables/a.csv", "dataset.target=y")
    folder, data = project / "outputs/sweeps/s", project / "tables/a.csv"

    def places() -> set[str]:
        return {config(folder / name)["data_dir"] for name in names(folder)}

    assert places() == {str(data)}
    shutil.rmtree(folder / names(folder)[0])
    (folder / names(folder)[-1] / "metrics.json").unlink()
    resume(other, name=os.path.relpath(folder, other))
    assert places() == {str(data)} and len(names(folder)) == 2
    moved = (project / "tables").rename(tmp_path / "new")
    for name in names(folder):
        (folder / name / "metrics.json").unlink()
    shutil.copy(moved / "a.csv", moved / "b.csv")
    for word in ("data_dir=new/c.csv", "data_dir=[new/c.csv]"):
        assert "there is no new/c.csv" in refused(tmp_path, f"resume={folder}", word, module="sweep")
    said = resume(tmp_path, "data_dir=new/a.csv", name="project/outputs/sweeps/s")
    assert places() == {str(moved / "a.csv")}
    again = shlex.split(said.rpartition("The best again: ")[2])
    (word,) = [word for word in again if word.startswith("data_dir=")]
    assert OverridesParser.create().parse_override(as_hydra_reads(word)).value() == str(moved / "a.csv")
    resume(tmp_path, "data_dir=[new/a.csv,new/b.csv]", name="project/outputs/sweeps/s")
    assert config(folder, "sweep.yaml")["data_dir"] == f"{moved / 'a.csv'}{os.pathsep}{moved / 'b.csv'}"


def test_a_finished_sweep_says_that_a_file_of_its_data_was_written_since(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    os.utime(table, (0, 0))
    run(tmp_path, *GRID, "dataset=csv", "data_dir=a.csv", "dataset.target=y")
    assert "was written after" not in resume(tmp_path)
    os.utime(table)
    assert "\na.csv was written after this sweep had ended" in "\n" + resume(tmp_path)
    folder = tmp_path / "outputs/sweeps/s"
    (folder / names(folder)[0] / "metrics.json").unlink()
    assert "was written after" not in resume(tmp_path)  # its job reads the data itself
    (tmp_path / "red").mkdir()
    (tmp_path / "red/a.png").touch()
    assert {*files_of_data(str(tmp_path), folder)} == {table, tmp_path / "red/a.png"}  # without those below outputs


def test_a_sweep_goes_on_where_its_whole_project_was_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("PROJ_DATA_DIR", "mine")
    (tmp_path / "a/mine").mkdir(parents=True)
    run(tmp_path / "a", *GRID)
    monkeypatch.delenv("PROJ_DATA_DIR")
    moved = (tmp_path / "a").rename(tmp_path / "b")
    shutil.rmtree(moved / "outputs/sweeps/s/1_seed=2")
    (moved / "outputs/sweeps/s/0_seed=1/metrics.json").unlink()
    said = resume(moved)
    assert "data_dir" not in said.partition("The best again: ")[2].splitlines()[0]  # which Iris does not read
    folder = moved / "outputs/sweeps/s"
    assert {config(folder / name)["data_dir"] for name in names(folder)} == {str(moved / "mine")}


def test_jobs_with_data_of_their_own_take_no_other(tmp_path):
    run(tmp_path, "sweep_name=s", "dataset=iris", "data_dir=a,b")
    folder = tmp_path / "outputs/sweeps/s"
    shutil.rmtree(folder / "0_data_dir=a")
    resume(tmp_path)
    assert [config(folder / name)["data_dir"] for name in names(folder)] == [str(tmp_path / "a"), str(tmp_path / "b")]
    (tmp_path / "a").write_text("x,y\n1,p\n2,q\n")
    own = "dataset.data_dir=a"  # which data_dir=c would leave as it is
    run(tmp_path, "sweep_name=t", "dataset=csv", own, "dataset.target=y")
    for name in ("outputs/sweeps/s", "outputs/sweeps/t"):
        assert "a data_dir of its own" in refused(tmp_path, f"resume={name}", "data_dir=c", module="sweep")


def test_a_sweep_that_goes_on_with_other_versions_says_so_where_a_job_is_left(ended_sweep, tmp_path):
    folder = ended_sweep(*GRID)
    manifest = config(folder, "sweep.yaml")
    manifest["versions"]["torch"], manifest["commit"] = "2.1.0", None
    (folder / "sweep.yaml").write_text(yaml.safe_dump(manifest))
    assert "other versions" not in resume(tmp_path)
    shutil.rmtree(folder / "0_seed=1")
    assert "which may change results: torch 2.1.0, " in resume(tmp_path)


def test_a_sweep_of_a_newer_version_says_so(ended_sweep, tmp_path):
    folder = ended_sweep(*SEARCH, RATES)
    open_study(folder).set_user_attr("format", 99)
    assert "study.log has format 99" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")
    (folder / "sweep.yaml").write_text(yaml.safe_dump(config(folder, "sweep.yaml") | {"format": 99}))
    with pytest.raises(UserError, match=r"sweep\.yaml has format 99"):
        read_manifest(folder)


def test_a_sweep_yaml_that_is_damaged_or_gone_is_told_of_and_no_result_is_taken_for_anothers(ended_sweep, tmp_path):
    file = ended_sweep(*GRID) / "sweep.yaml"
    for content in ("", "overrides: [\n", "- 1\n", "command: x\noverrides: [sw"):
        file.write_text(content)
        with pytest.raises(UserError, match=r"sweep\.yaml is damaged"):
            read_manifest(file.parent)
    assert "sweep.yaml is damaged" in refused(tmp_path, *GRID)
    file.unlink()
    assert "sweep.yaml is gone" in refused(tmp_path, "sweep_name=s", "seed=1,2,3")
    assert "it has no sweep.yaml" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")


def test_a_folder_within_a_sweeps_is_told_of_the_sweep(ended_sweep, tmp_path):
    folder = ended_sweep(*GRID)
    for place in ("0_seed=1", "sweep.yaml"):
        said = refused(tmp_path, f"resume={folder}/{place}", module="sweep")
        assert said.rstrip().endswith("Give resume=outputs/sweeps/s")


def test_a_file_where_a_sweep_needs_a_folder_is_told_of(ended_sweep, tmp_path):
    (tmp_path / "outputs/sweeps").mkdir(parents=True)
    (tmp_path / "outputs/sweeps/s").touch()
    assert "outputs/sweeps/s is a file" in refused(tmp_path, *GRID)
    assert "no sweep.yaml" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")
    (tmp_path / "outputs/sweeps/s").unlink()
    folder = ended_sweep(*GRID)
    shutil.rmtree(folder / "0_seed=1")
    (folder / "0_seed=1").touch()
    assert "0_seed=1 is a file" in refused(tmp_path, "resume=outputs/sweeps/s", module="sweep")


def test_a_trial_that_was_stopped_while_it_was_asked_for_has_all_of_its_settings(tmp_path):
    words = (*SEARCH, RATES, "dataset.batch_size=interval(5,9)")
    run(tmp_path, *words)
    folder = tmp_path / "outputs/sweeps/s"
    log = (folder / "study.log").read_text().splitlines(keepends=True)
    asked = [n for n, line in enumerate(log) if json.loads(line).get("param_name") == "optimizer.lr"][-1]
    (folder / "study.log").write_text("".join(log[: asked + 1]))
    shutil.rmtree(folder / names(folder)[-1])
    resume(tmp_path)
    assert all(len(trial.params) == 2 for trial in open_study(folder).trials) and len(names(folder)) == 3


def test_folders_of_more_than_ten_jobs_sort_as_their_numbers_do(tmp_path):
    run(tmp_path, "sweep_name=s", "seed=range(11)")
    folder = tmp_path / "outputs/sweeps/s"
    assert names(folder) == [f"{number:02}_seed={number}" for number in range(11)]
    shutil.rmtree(folder / "07_seed=7")
    assert "11 runs (finished)" in resume(tmp_path)
    assert len(names(folder)) == 11 and (folder / "07_seed=7/metrics.json").is_file()


def test_a_launcher_is_given_each_job_as_it_was_frozen_by_the_name_of_its_folder(ended_sweep):
    sweep = Sweep(ended_sweep(*GRID))
    command = OmegaConf.create({"hydra": {"sweep": {"dir": "elsewhere"}, "launcher": "of this command"}})
    jobs = pickle.loads(pickle.dumps(FrozenLoader(sweep, isolate=True, log="line")))
    job = jobs.load_sweep_config(command, ["1_seed=2"])
    assert job.seed == 2 and job.isolate and job.hydra.launcher == "of this command"
    assert job.hydra.overrides.task == ["sweep_name=s", *QUICK, "seed=2"] and job.hydra.job.num == 1
    assert job.hydra.sweep.dir == str(sweep.folder) and job.hydra.sweep.subdir == "1_seed=2"


def test_the_importance_of_each_setting_is_noted_where_the_results_of_a_search_differ(tmp_path):
    study = open_study(tmp_path)
    for value in (0.5, 0.5, 0.9, 0.7):
        trial = study.ask({"optimizer.lr": FloatDistribution(0, 1), "model.dropout": FloatDistribution(0, 1)})
        study.tell(trial, value)
        write_importance(study, tmp_path)
        assert (tmp_path / "importance.json").exists() == (len(study.trials) > 2)
    shares = json.loads((tmp_path / "importance.json").read_text())
    assert shares.keys() == {"optimizer.lr", "model.dropout"} and sum(shares.values()) == pytest.approx(1)


def test_a_job_has_a_process_of_its_own_as_the_command_says_that_goes_on_or_else_as_it_was_frozen(ended_sweep):
    sweep = Sweep(ended_sweep(*GRID))
    job = sweep.run_folder("1_seed=2").job
    job.write_text(job.read_text().replace("\nisolate: false\n", "\nisolate: true\n"))
    command = OmegaConf.create({"hydra": {"sweep": {}}})
    for said, expected in ((None, True), (True, True), (False, False)):
        assert FrozenLoader(sweep, said, log="line").load_sweep_config(command, ["1_seed=2"]).isolate is expected


def test_a_trial_is_pruned_but_for_its_last_epoch_whose_result_it_then_has(tmp_path):
    open_study(tmp_path).ask()
    prune = Prune(tmp_path, "val/acc", 0, {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.6})
    trainer = SimpleNamespace(sanity_checking=False, callback_metrics={"val/acc": 0.5}, is_global_zero=True)
    trainer.strategy, trainer.max_epochs = SimpleNamespace(broadcast=bool), 2
    trainer.current_epoch = 1
    prune.on_validation_end(trainer, None)
    trainer.max_epochs = 3
    with pytest.raises(Pruned, match=r"pruned in epoch 2, at val/acc 0\.5"):
        prune.on_validation_end(trainer, None)


def test_options_of_the_users_own_in_a_sweeps_folder_are_not_written_over(tmp_path):
    own = tmp_path / "conf/model/mlp.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("hidden: [8]\n")
    assert "conf already exists" in refused(tmp_path, "hydra.sweep.dir=.", "seed=1,2")
    assert own.read_text() == "hidden: [8]\n"


@pytest.mark.parametrize("number", (errno.ENOSPC, errno.EFBIG))  # a full disk, and a limit of files such as ulimit -f
def test_a_sweep_whose_copy_of_conf_finds_no_room_ends_in_one_sentence(tmp_path, monkeypatch, number):
    def fail(source, target, **options):
        raise OSError(number, os.strerror(number), str(source), None, str(target))

    monkeypatch.setattr("shutil.copyfile", fail)
    with pytest.raises(OSError) as raised:
        copy_conf(OmegaConf.create({"hydra": {"runtime": {"config_sources": []}}}), tmp_path, [])
    assert f"could not be written ({os.strerror(number)}): " in explain(raised.value)
    assert explain(raised.value).startswith(str(tmp_path))
