"""Verdicts on simulated sweeps, of which it is known what is true."""

import json
import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.made_runs import change, write_run
from support.tables import read_rows

from proj.reports.conclusions import in_doubt, overlap_of
from proj.reports.report import report
from proj.reports.runs import Run
from proj.reports.verdicts import (
    MOST_SEEDS,
    by_chance,
    interval_of_mean,
    interval_of_share,
    judge,
    more_seeds,
    verdicts,
)


def sweep(random, rows: int, seeds: int, *better_by: float) -> np.ndarray:
    """Values (seeds, rows), the best mean first, with what the seed does to all rows."""
    values = random.standard_normal((seeds, rows)) + 3 * random.standard_normal((seeds, 1))
    values[:, : len(better_by)] += better_by
    return values[:, np.argsort(-values.mean(0))]


@pytest.mark.parametrize(("rows", "seeds"), [(2, 3), (5, 6), (12, 3)])
def test_a_sweep_without_any_difference_ends_in_a_claim_in_one_of_twenty_at_most(rows, seeds):
    random = np.random.default_rng(rows * seeds)
    claims = np.mean([any(one.is_significant for one in judge(sweep(random, rows, seeds))[1:]) for _ in range(300)])
    assert claims <= 0.05 + 2.5 * (0.05 * 0.95 / 300) ** 0.5  # what 300 sweeps can tell


@pytest.mark.parametrize(
    "draw",
    (
        lambda random: random.standard_normal((6, 6)) * [10, 1, 1, 1, 10, 1],
        lambda random: random.binomial(15, 0.93, (3, 5)) / 15,
        lambda random: random.standard_normal((8, 3)) + np.where(np.arange(8)[:, None] < [8, 8, 2], 0, np.nan),
    ),
    ids=("unlike_spread", "few_examples", "fewer_seeds"),
)
def test_rows_of_unlike_spread_of_few_examples_or_of_fewer_seeds_end_in_no_more_claims(draw):
    random, claims = np.random.default_rng(1), 0
    for _ in range(300):
        values = draw(random)
        claims += any(one.is_significant for one in judge(values[:, np.argsort(-np.nanmean(values, 0))])[1:])
    assert claims <= 0.075 * 300


def test_accuracies_that_happen_to_be_alike_prove_nothing():
    assert not verdicts([dict.fromkeys(range(3), 1.0), dict.fromkeys(range(3), 14 / 15)], "max")[0].is_significant
    # Nor do sums of the same numbers in another order.
    assert not verdicts([dict.fromkeys(range(3), 0.1 + 0.2), dict.fromkeys(range(3), 0.3)], "max")[0].is_significant
    assert not verdicts([dict.fromkeys(range(3), 0.4), {0: 0.3, 1: 0.1 + 0.2, 2: 0.3}], "max")[0].is_significant


def test_the_intervals_of_a_sweep_hold_the_true_differences_together():
    random, hold = np.random.default_rng(2), 0
    for _ in range(500):
        values = random.standard_normal((6, 3)) + np.array([2, 0, 0])
        order = np.argsort(-values.mean(0))
        truth = np.array([2, 0, 0])[order]
        found = judge(values[:, order])[1:]
        hold += all(v.low <= truth[0] - t <= v.high for v, t in zip(found, truth[1:], strict=True))
    assert 0.925 <= hold / 500 <= 0.99


def test_two_rows_that_share_their_seeds_are_compared_as_the_paired_t_test_does():
    from scipy import stats  # it takes half a second

    values = sweep(np.random.default_rng(4), 2, 8, 1.0)
    verdict = judge(values)[1]
    assert verdict.p == pytest.approx(stats.ttest_rel(*values.T).pvalue, abs=0.015)
    low, high = stats.ttest_rel(*values.T).confidence_interval()
    assert (verdict.low, verdict.high) == pytest.approx((low, high), abs=0.15)


@pytest.mark.parametrize("start", (100, 4))
def test_rows_with_no_or_few_common_seeds_are_compared_as_welch_does(start):
    from scipy import stats

    random = np.random.default_rng(6)
    first, second = random.standard_normal(6) + 1.6, random.standard_normal(9)
    verdict = verdicts([dict(enumerate(first)), dict(enumerate(second, start))], "max")[0]
    assert verdict.difference == pytest.approx(first.mean() - second.mean()) and verdict.seeds == 6
    assert verdict.p == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue, abs=0.02)


def test_a_fold_of_five_overlaps_by_the_share_of_the_tested_over_the_trained(tmp_path):
    run = Run(tmp_path, {"dataset.folds": 5, "dataset.fold": 0}, {}, {}, "finished")
    assert overlap_of({"runs": [run]}) == 1 / 4 and overlap_of({"runs": [replace(run, config={})]}) == 0


def test_what_the_seed_does_to_all_rows_does_not_hide_a_difference():
    random = np.random.default_rng(7)
    seeds = 10 * random.standard_normal(6)
    better, worse = ((seeds + shift + 0.1 * random.standard_normal(6)).tolist() for shift in (1, 0))
    assert verdicts([dict(enumerate(better)), dict(enumerate(worse))], "max")[0].is_significant


def test_less_is_better_where_the_mode_says_so():
    verdict = verdicts([{0: 0.1, 1: 0.12, 2: 0.11}, {0: 0.9, 1: 0.93, 2: 0.92}], "min")[0]
    assert verdict.is_significant and verdict.difference == pytest.approx(0.806667, abs=1e-5)


def test_the_verdict_of_a_report_on_a_loss_is_for_the_smaller_one(tmp_path):
    for lr, accuracy in ((0.1, 0.5), (0.2, 0.9)):  # the last val/loss of a run is 2 - its accuracy
        for seed in range(3):
            folder = write_run(tmp_path / f"{lr}_{seed}", accuracy + seed / 100, lr=lr, seed=seed)
            change(folder / "config.yaml", {"monitor": "val/loss", "mode": "min"})
    verdict = report([tmp_path])["rows"][1]["verdict"]
    assert verdict.is_significant and verdict.difference == pytest.approx(0.4)


def test_a_row_of_one_seed_or_of_nan_has_no_verdict_and_changes_no_other():
    rows = [{0: 0.9, 1: 0.91, 2: 0.92}, {0: 0.8, 1: 0.82, 2: 0.81}]
    odd = [rows[0], {0: 0.85}, rows[1], {0: 0.1, 1: float("nan")}]
    assert verdicts(odd, "max") == [None, verdicts(rows, "max")[0], None]
    assert verdicts([{0: 0.9}, rows[1]], "max") == [None]


def test_values_with_which_nothing_can_be_computed_have_neither_verdict_nor_interval_nor_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (float("inf"), 1e308):
            assert verdicts([{0: 0.1, 1: 0.2}, {0: value, 1: -value}], "min") == [None]
            assert interval_of_mean([0.1, value]) is None


def test_as_many_more_seeds_as_are_named_tell_the_rows_apart_in_four_of_five_cases():
    random, told, named = np.random.default_rng(8), [], []
    for _ in range(200):
        values = random.standard_normal((3, 2)) * 0.7 + [0.9, 0]
        verdict = judge(values[:, np.argsort(-values.mean(0))])[1]
        named.append(verdict.more_seeds or 0)
    more = int(np.median(named))  # as a typical sweep of this difference and this spread would say
    for _ in range(300):
        values = random.standard_normal((3 + more, 2)) * 0.7 + [0.9, 0]
        told.append(judge(values[:, np.argsort(-values.mean(0))])[1].is_significant)
    assert 0.65 <= np.mean(told) <= 0.95


def test_the_size_of_the_test_set_gives_an_interval_of_its_own():
    low, high = interval_of_share(0.9954, 10_000)  # ± 0.13 points
    assert (low, high) == pytest.approx((0.9939, 0.9965), abs=1e-4)
    assert interval_of_share(1.0, 15)[1] <= 1.0
    assert interval_of_mean([0.5]) is None and interval_of_mean([0.5, 0.5]) is None
    assert interval_of_mean([0.4, 0.6]) == pytest.approx((0.5 - 1.2706, 0.5 + 1.2706), abs=1e-3)
    assert interval_of_mean([0.4, 0.6], overlap=0.25) == pytest.approx((0.5 - 1.5562, 0.5 + 1.5562), abs=1e-3)


def finished(folder: Path, accuracy: float, seed: int, **settings) -> None:
    run = write_run(folder, accuracy=accuracy, seed=seed, **settings)
    change(run / "metrics.json", {"test_examples": 10_000})


def made_sweep(folder: Path, seeds: int = 6) -> Path:
    """Two rates of a cnn that are alike, and an mlp that is worse by a point."""
    random = np.random.default_rng(0)
    for model, lr, accuracy in (("cnn", 0.003, 0.9931), ("cnn", 0.01, 0.993), ("mlp", 0.003, 0.983)):
        for seed in range(seeds):
            value = float(accuracy + 0.0006 * random.standard_normal())
            finished(folder / f"{model}_{lr}_{seed}", value, seed, model=model, lr=lr)
    return folder


def test_the_terminal_and_all_files_tell_the_same_verdicts(tmp_path, capsys):
    rows = report([made_sweep(tmp_path)])["rows"]
    printed = " ".join(capsys.readouterr().out.split())
    alike, worse = (row["verdict"] for row in rows[1:])
    assert worse.is_significant and not alike.is_significant and rows[0]["verdict"] is None
    by = f"{100 * worse.difference:.2f} points [{100 * worse.low:.2f}, {100 * worse.high:.2f}], 6 seeds, p < 0.001"
    best = f"cnn lr={rows[0]['settings'][1]}"
    assert f"{best} beats mlp lr=0.003 by {by}" in printed
    assert f"cannot tell {best} from cnn" in printed and f"about {alike.more_seeds} more seeds may suffice" in printed
    assert "over 6 seeds, [" in printed and "for 10,000 test examples" in printed

    told = json.loads((tmp_path / "report.json").read_text())
    assert all(line in printed for line in told["sentences"])
    assert told["rows"][2]["verdict"]["difference"] == worse.difference and told["rows"][2]["verdict"]["told"] is True
    assert len(told["rows"][0]["val/acc"]["by_seed"]) == 6
    lines = read_rows(tmp_path / "report.csv")
    assert float(lines[-1]["best_against_this_difference"]) == worse.difference and not lines[0]["best_against_this_p"]
    difference = f"{100 * worse.difference:.2f}"
    assert rf"{difference} \[" in (tmp_path / "report.md").read_text()
    assert f"{difference} [" in (tmp_path / "report.tex").read_text()
    page = (tmp_path / "report.html").read_text()
    assert f"beats mlp lr=0.003 by {difference} points" in page and "val/acc % of every seed" in page


def test_a_sentence_rounds_p_as_the_table_to_paste_does(tmp_path, capsys):
    for seed in range(3):
        finished(tmp_path / f"a{seed}", 0.9 + 0.002 * seed, seed)
        finished(tmp_path / f"b{seed}", 0.88 + 0.004 * (seed - 1) ** 2, seed, lr=0.5)
    p = report([tmp_path])["rows"][1]["verdict"].p
    assert p > 0.001 and f"{p:.2g}" != f"{p:.1g}"
    assert f"p = {p:.2g}\n" in capsys.readouterr().out and f"| {p:.2g} |" in (tmp_path / "report.md").read_text()


def test_a_table_to_paste_has_the_same_number_of_cells_in_every_row_whatever_a_setting_is_called(tmp_path):
    for seed in range(2):
        finished(tmp_path / f"a{seed}", 0.9 + seed / 100, seed, activation="a|b_c$ & 50%")
        finished(tmp_path / f"b{seed}", 0.8 + seed / 100, seed, activation="[x]\\y~\n<z>")
    report([tmp_path])
    markdown = (tmp_path / "report.md").read_text().splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in markdown} == {len(re.findall(r"\|", markdown[1]))}
    latex = (tmp_path / "report.tex").read_text().splitlines()
    rows = [line for line in latex if line.endswith(r"\\")]
    assert len(rows) == 3 and len({len(re.findall(r"(?<!\\)&", line)) for line in rows}) == 1
    assert r"a|b\_c\$ \& 50\%" in (tmp_path / "report.tex").read_text() and rows[2].startswith("  {[x]")


def test_one_seed_each_says_what_would_tell(tmp_path, capsys):
    for model in ("cnn", "mlp"):
        write_run(tmp_path / model, model=model)
        write_run(tmp_path / f"mnist_{model}", model=model, dataset="mnist")
    report([tmp_path])
    assert capsys.readouterr().out.count("one seed each cannot tell") == 1
    shutil.copytree(tmp_path / "cnn", tmp_path / "copy")  # which is no second seed
    report([tmp_path])
    assert "one seed each cannot tell" in capsys.readouterr().out
    write_run(tmp_path / "mlp1", 0.85, seed=1, model="mlp")
    report([tmp_path])
    assert "one seed cannot tell" in capsys.readouterr().out
    for run in tmp_path.iterdir():
        if run.is_dir():
            change(run / "config.yaml", {"trial": {"number": 1}})
    report([tmp_path])
    assert "cannot tell a better" not in capsys.readouterr().out  # of a search, whose trials have one seed


def test_rows_with_the_same_figures_are_not_advised_to_get_more_seeds(tmp_path, capsys):
    """Such as those of different thresholds, which change no loss."""
    for threshold in ("f1", "balanced"):
        for seed in range(3):
            finished(tmp_path / f"{threshold}{seed}", 0.9 + seed / 100, seed, threshold=threshold)
    report([tmp_path])
    said = " ".join(capsys.readouterr().out.split())
    assert "have the same val/acc with each seed (3 seeds), so it cannot tell them apart" in said
    assert "more seeds" not in said


def test_rows_that_no_sentence_names_are_counted(tmp_path, capsys):
    for rows, said in (((0.99, 0.6, 0.59, 0.58, 0.57), "the other one"), ((0.5,), "1 of the 2 others")):
        for mean in rows:
            for seed in range(3):
                spread = 0.4 if mean == 0.5 else 0.001
                finished(tmp_path / f"{mean}_{seed}", mean + spread * (seed - 1), seed, lr=mean)
        report([tmp_path])
        assert f"lr=0.99 beats {said}\n" in capsys.readouterr().out


def test_what_failed_after_the_best_figures_stands_last_and_leaves_the_verdicts_alone(tmp_path, capsys):
    made_sweep(tmp_path / "a", 3)
    for seed in range(3):
        write_run(tmp_path / f"{seed}", 0.999, lr=1.0, seed=seed, finished=False)
    rows = report([tmp_path])["rows"]
    assert [dict(row["status"]) for row in rows] == [{"finished": 3}] * 3 + [{"interrupted": 3}]
    said = capsys.readouterr().out
    assert "beats mlp lr=0.003 by" in said and "test accuracy of cnn" in said


def test_rows_are_compared_on_each_data_alone_and_runs_that_go_on_are_not(tmp_path, capsys):
    made_sweep(tmp_path / "a", 2)
    for seed in range(2):
        write_run(tmp_path / f"other{seed}", dataset="mnist", seed=seed)
        write_run(tmp_path / f"worse{seed}", 0.88 + seed / 50, dataset="mnist", seed=seed, lr=0.5)
        write_run(tmp_path / f"alone{seed}", dataset="iris", seed=seed)
        write_run(tmp_path / f"going_on{seed}", model="big", seed=seed, finished=False)
    comparison = report([tmp_path])
    said = " ".join(capsys.readouterr().out.split())
    assert "configurations on 3 sets of data are not compared with each other" in said
    assert "digits cnn lr=0.01 from" in said and "cannot tell mnist mlp lr=0.01 from mnist mlp lr=0.5" in said
    assert all(f"test accuracy of {name}" in said for name in ("digits cnn lr=0.01", "mnist mlp", "iris mlp"))
    judged = {(*row["settings"][:2], row["settings"][-1]) for row in comparison["rows"] if row["verdict"]}
    assert judged == {("digits", "cnn", 0.003), ("digits", "mlp", 0.003), ("mnist", "mlp", 0.5)}
    doubtful = [row["settings"][0] for row in in_doubt(comparison)]
    assert {"digits", "mnist", "iris"} == {*doubtful} and doubtful.count("mnist") == 2


def test_a_table_that_is_larger_than_what_is_simulated_at_a_time_is_simulated(monkeypatch):
    monkeypatch.setattr("proj.reports.verdicts.AT_A_TIME", 3)
    monkeypatch.setattr("proj.reports.verdicts.SIMULATIONS", 20)
    assert len(by_chance.__wrapped__(bytes(8), (4, 2))) == 20


def test_more_seeds_help_less_where_folds_share_their_training_examples():
    assert more_seeds(2.0, 2.8, 5, overlap=0.0) < more_seeds(2.0, 2.8, 5, overlap=1 / 4) == MOST_SEEDS
