"""More seeds for a sweep that cannot tell its rows apart. No test here trains."""

import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.refusals import refusals
from support.sweeps import config, die_while_freezing, names, replace_training, run, sweep

from proj.errors import UserError
from proj.reports.compare import compare
from proj.reports.conclusions import conclude, in_doubt, sentences
from proj.reports.runs import find_runs
from proj.sweeps import seeds
from proj.sweeps.folder import Sweep
from proj.sweeps.seeds import add_seeds, ask_for_seeds, new_jobs, seeds_of_rows
from proj.sweeps.summary import best_again, names_another
from proj.sweeps.swept import with_changes
from proj.system.run_folder import RunFolder

NAME = "outputs/sweeps/s"


def play(failing: tuple[int, ...] = ()) -> None:
    """A training that is over at once: two learning rates are alike but for chance, one is far worse."""

    def accuracy(cfg) -> float:
        if cfg.seed in failing:
            RunFolder(cfg.output_dir).write_failure("failed", "as the test wants it")
            raise UserError("as the test wants it")
        mean = 0.5 if cfg.optimizer.lr < 0.1 else 0.9
        return mean + random.Random(f"{cfg.seed} {cfg.optimizer.lr}").gauss(0, 0.01)

    replace_training(accuracy)


def play_and_die_while_freezing() -> None:
    play()
    die_while_freezing("7_")


def play_but_fail() -> None:
    play(failing=(3,))


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """Where a sweep of three rates and two seeds has ended."""
    folder = tmp_path_factory.mktemp("seeds")
    out = run(folder, "sweep_name=s", "optimizer.lr=0.01,0.1,0.11", "seed=1,2", before=play)
    (folder / "out.txt").write_text(out)
    return folder


@pytest.fixture
def ended(begun, tmp_path) -> Path:
    return shutil.copytree(begun, tmp_path / "copy")


def test_the_end_of_a_sweep_says_what_to_type_where_it_cannot_tell(begun):
    out = (begun / "out.txt").read_text()
    assert re.search(r"more seeds may suffice:\s+python -m proj\.sweep resume=outputs/sweeps/s seeds=\+\d\n", out)
    assert "more seeds may suffice: python -m proj.sweep resume=" in (begun / NAME / "report.json").read_text()


def test_only_the_rows_in_doubt_get_seeds_and_a_kill_while_they_are_added_ends_in_the_same_jobs(ended):
    folder, before = ended / NAME, names(ended / NAME)
    conf = folder / "conf/optimizer/adamw.yaml"
    conf.write_text(conf.read_text() + "eps: 1e-7\n")  # in the sweep's copy, which new jobs are composed from
    words = (f"resume={NAME}", "seeds=+2")
    assert sweep(ended, *words, module="sweep", before=play_and_die_while_freezing)[0] == 9
    listed = [*yaml.safe_load((folder / "sweep.yaml").read_text())["jobs"]][len(before) :]
    settings = [f"optimizer.lr={lr},seed={seed}" for seed in (3, 4) for lr in (0.1, 0.11)]
    assert listed == [f"{number}_{own}" for number, own in enumerate(settings, 6)]
    out = run(ended, *words, module="sweep", before=play)
    assert "continues its jobs and adds no others" in out and "10 jobs in outputs/sweeps/s (6 done before)" in out
    assert names(folder) == sorted([*before, *listed])
    old, new = config(folder / before[2]), config(folder / listed[0])
    assert new["optimizer"].pop("eps") == 1e-7 and (new.pop("seed"), old.pop("seed")) == (3, 1)
    for one in (old, new):
        del one["dataset"]["seed"], one["output_dir"]
    assert new == old


def test_the_rows_that_get_seeds_are_named_or_why_none_gets_any(begun, monkeypatch, capsys):
    monkeypatch.chdir(begun)
    jobs = yaml.safe_load(Path(NAME, "sweep.yaml").read_text())["jobs"]

    def said(rows: str, *rates: str) -> str:
        listed = {name: own for name, own in jobs.items() if own[0].removeprefix("optimizer.lr=") in rates}
        seeds_of_rows(Sweep(Path(NAME), names=dict(enumerate(listed)), asked=["+2", rows]), listed)
        return capsys.readouterr().out

    assert said("doubtful", "0.01", "0.1").startswith(
        "no seeds are added, since the best row differs significantly from all"
    )
    assert said("all", "0.01", "0.1") == "seeds=+2 for lr=0.1, lr=0.01\n"


def test_rows_are_judged_once_their_jobs_have_ended(ended):
    folder = ended / NAME
    manifest = yaml.safe_load((folder / "sweep.yaml").read_text())
    sweep = Sweep(folder, manifest, dict(enumerate(manifest["jobs"])), asked=["+1", "all"])
    stopped = sweep.run_folder(sweep.jobs()[0])
    stopped.metrics.unlink()
    assert not add_seeds(sweep, [])
    stopped.write_failure("failed", "as the test wants it")
    assert add_seeds(sweep, []) and len(sweep.manifest["jobs"]) == 6 + 3


def test_as_many_seeds_as_the_rows_have_are_said_to_add_none(begun, monkeypatch, capsys):
    monkeypatch.chdir(begun)
    manifest = yaml.safe_load(Path(NAME, "sweep.yaml").read_text())
    assert not add_seeds(Sweep(Path(NAME), manifest, dict(enumerate(manifest["jobs"])), asked=["2", "all"]), [])
    assert "none is added, since each has as many already: seeds=+2 adds that number" in capsys.readouterr().out


def test_jobs_that_failed_are_tried_again_by_the_same_command_which_then_adds_none(ended):
    words = (f"resume={NAME}", "seeds=3", "rows=all")
    code, _, err = sweep(ended, *words, module="sweep", before=play_but_fail)
    assert code == 1 and "3 of 9 jobs have no result" in err and "seeds=3 rows=all" in err
    out = run(ended, *words, module="sweep", before=play)
    assert "9 runs (finished)" in out and "adds no others" in out
    assert "more_seeds" not in yaml.safe_load((ended / NAME / "sweep.yaml").read_text())


def test_a_job_that_always_fails_does_not_keep_seeds_from_being_added(ended):
    words = (f"resume={NAME}", "seeds=+1", "rows=all")
    found = []
    for _ in range(3):
        code, out, _ = sweep(ended, *words, module="sweep", before=play_but_fail)
        found.append(
            (code, "adds no others" in out, len(yaml.safe_load((ended / NAME / "sweep.yaml").read_text())["jobs"]))
        )
    assert found == [(1, False, 9), (1, True, 9), (1, False, 12)]


def test_a_sweep_without_an_axis_of_seeds_gets_one_and_the_shared_seed_gives_way(tmp_path):
    run(tmp_path, "sweep_name=s", "optimizer.lr=0.1,0.11", "seed=5", before=play)
    out = run(tmp_path, f"resume={NAME}", "seeds=+1", module="sweep", before=play)
    assert "4 runs (finished), 2 configurations" in out
    job = config(next((tmp_path / NAME).glob("[23]_optimizer.lr=0.1,seed=6")), "job.yaml")
    assert job["seed"] == 6 and [word for word in job["hydra"]["overrides"]["task"] if "seed" in word] == ["seed=6"]


def test_jobs_that_repeat_others_get_no_seeds_of_their_own(tmp_path):
    """Such as those on two copies of the same data."""
    run(tmp_path, "sweep_name=s", "save_every=10,20", "seed=1", before=play)
    run(tmp_path, f"resume={NAME}", "seeds=+1", module="sweep", before=play)
    assert len(names(tmp_path / NAME)) == 3


def test_rows_take_the_seeds_of_the_others_first_and_folds_are_filled_each():
    taken = {("lr=1", "seed="): {1, 2, 3, 4}, ("lr=2", "seed="): {1, 2}}
    assert new_jobs(taken, "+2") == [["lr=1", "seed=5"], ["lr=2", "seed=3"], ["lr=1", "seed=6"], ["lr=2", "seed=4"]]
    assert new_jobs(taken, "4") == [["lr=2", "seed=3"], ["lr=2", "seed=4"]]
    folds = {("dataset.fold=0", "seed="): {7}, ("dataset.fold=1", "seed="): {7}}
    assert new_jobs(folds, "+1") == [["dataset.fold=0", "seed=8"], ["dataset.fold=1", "seed=8"]]
    assert new_jobs({("seed=",): {2**32 - 1}}, "+2") == [["seed=0"], ["seed=1"]]
    assert new_jobs({("seed=",): {1, 2, 3}}, "2") == []


def test_the_rows_in_doubt_are_the_best_and_those_that_are_not_told_from_it(begun):
    jobs = [path for path in (begun / NAME).iterdir() if (path / "job.yaml").is_file()]
    comparison = conclude(compare(find_runs(jobs)))
    assert [row["settings"] for row in in_doubt(comparison)] == [row["settings"] for row in comparison["rows"][:2]]
    one_seed = conclude(compare(find_runs([path for path in jobs if path.name.endswith("seed=1")])))
    assert len(in_doubt(one_seed)) == 3
    failed = conclude(compare([replace(run, status="failed") for run in find_runs(jobs)]))
    assert in_doubt(failed) == failed["rows"][:1]
    one_seed["resume"] = "python -m proj.sweep resume=s"
    assert any(line.endswith("python -m proj.sweep resume=s seeds=+5") for line in sentences(one_seed))


@refusals(
    (["seeds=+0"], "seeds=+6 adds six"),
    (["+seeds=6"], "takes no + or ~: type seeds=6"),
    (["rows=all"], "give their number, such as seeds=+6"),
    (["seeds=+6", "rows=most"], "Options: all, doubtful"),
    (["sed=+6"], "Did you mean 'seeds'"),
)
def test_what_is_no_number_of_seeds_is_one_sentence(words, sentence, begun, mistake, monkeypatch):
    monkeypatch.chdir(begun)
    assert sentence in mistake("proj.sweep", f"resume={NAME}", *words)


@refusals((("+6", None), "is a search"), ((None, "all"), "is a search"))
def test_a_search_is_told_to_begin_a_sweep(tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        ask_for_seeds(*words, tmp_path, is_search=True)


def test_nothing_is_asked_without_the_word(tmp_path):
    ask_for_seeds(None, None, tmp_path, is_search=False)
    assert seeds.ASKED == []


def test_a_job_that_went_on_with_other_settings_gets_seeds_with_these_and_is_repeated_with_these(ended):
    """More epochs, or on_nan=skip after a loss that was NaN: the frozen job does not have them."""
    folder = ended / NAME
    manifest = yaml.safe_load((folder / "sweep.yaml").read_text())
    sweep = Sweep(folder, manifest, dict(enumerate(manifest["jobs"])), asked=["+1", "all"])
    jobs = [name for name, words in manifest["jobs"].items() if "optimizer.lr=0.11" in words]
    for name in jobs:
        file = folder / name / "config.yaml"
        file.write_text(re.sub("max_epochs: .*", "max_epochs: 30", file.read_text()))
    name = jobs[0]
    again = best_again(sweep, name, all_folds=False).split()
    assert "trainer.max_epochs=30" in again and sum("max_epochs" in word for word in again) == 1
    rows = seeds_of_rows(sweep, manifest["jobs"])
    assert [words for words in rows if "trainer.max_epochs=30" in words] == [
        ("optimizer.lr=0.11", "seed=", "trainer.max_epochs=30")
    ]


def test_a_limit_that_was_taken_away_is_null_as_a_command_takes_it(tmp_path):
    for name, epochs in (("job.yaml", 3), ("config.yaml", None)):
        (tmp_path / name).write_text(yaml.safe_dump({"trainer": {"max_epochs": epochs}}))
    words = ["seed=1", "trainer.max_epochs=3"]
    assert with_changes(words, RunFolder(tmp_path)) == ["seed=1", "trainer.max_epochs=null"]


def test_the_best_again_names_data_by_its_whole_path_where_the_word_means_another_file(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not names_another(["data_dir=t.csv", "seed=1"], str(tmp_path / "t.csv"))
    monkeypatch.chdir(tmp_path / "other")
    assert names_another(["data_dir=t.csv", "seed=1"], str(tmp_path / "t.csv"))
    assert not names_another(["seed=1"], str(tmp_path / "t.csv"))
