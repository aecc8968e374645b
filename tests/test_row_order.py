"""`dataset.order`: a table that is split in the order of a column, so that the last rows are tested."""

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.refusals import refusals
from support.runs import make
from support.tables import write_rows

from proj.config.compose import configure
from proj.errors import UserError
from proj.training.run import train

DAYS = [datetime(2022, 11, 1, tzinfo=timezone.utc) + timedelta(days=i) for i in range(100)]
WRITTEN = {
    "2022-11-01": lambda day: f"{day:%Y-%m-%d}",
    "1.11.2022": lambda day: f"{day.day}.{day.month}.{day.year}",
    "11/01/2022 2:00 PM": lambda day: f"{day:%m/%d/%Y} 2:00 PM",
    "1 Nov 2022": lambda day: f"{day:%d %b %Y}",
    "seconds": lambda day: int(day.timestamp()),
    "milliseconds": lambda day: 1000 * int(day.timestamp()),
    "decimal comma": lambda day: f"{day.toordinal() / 4:.2f}".replace(".", ","),
    "among them ISO": lambda day: f"{day:%Y-%m-%d}" if day.day == 1 else f"{day:%d.%m.%Y}",
}


def table(file: Path, whens, classes="pq") -> list[list]:
    """Write rows in any order, whose column `a` counts those of `whens`, with these cells in the column `when`."""
    rows = [[i, i * i % 37 / 10, when, classes[i % len(classes)]] for i, when in enumerate(whens)]
    random.Random(0).shuffle(rows)
    write_rows(file, [["a", "x", "when", "y"], *rows])
    return rows


def load(data_dir: Path, *words: str, **more):
    return make("csv", f"data_dir={data_dir}", "target=y", "batch_size=8", "drop=[a]", "order=when", *words, **more)


def parts(data, rows: list[list]) -> dict[str, list[int]]:
    """The values of `a` in each part, ascending."""
    return {name: sorted(rows[int(line) - 2][0] for line in lines) for name, lines in data.numbers.items()}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_the_last_rows_are_tested_and_those_before_validated_however_dates_are_written(tmp_path, capsys, write):
    def said_of(day: datetime) -> str:
        return f"{day:%Y-%m-%d %H:%M:%S}" if isinstance(write(day), int) else write(day)

    rows = table(tmp_path / "t.csv", map(write, DAYS))
    data = load(tmp_path / "t.csv")
    whole = [*range(100)]
    assert parts(data, rows) == {"train": whole[:72], "val": whole[72:85], "test": whole[85:]}
    assert [column.name for column in data.columns] == ["x"]  # the order is no input
    first, last = said_of(DAYS[85]), said_of(DAYS[99])
    assert f"in the order of when: train {said_of(DAYS[0])} to " in (said := capsys.readouterr().out)
    assert f", test {first} to {last}\n" in said
    assert parts(load(tmp_path / "t.csv", facts=data.facts), rows) == parts(data, rows)  # as resume and evaluate do


@pytest.mark.parametrize(
    ("days", "words", "is_said"),
    (
        (DAYS, (), True),
        (DAYS[::-1], (), True),
        ([DAYS[i * 37 % 100] for i in range(100)], (), False),  # not in order
        ([DAYS[i // 4] for i in range(100)], (), False),  # several rows a day, as of one visit
        (DAYS[:15], (), False),
        (DAYS, ("group=g",), False),
        (DAYS, ("order=when",), False),
        (DAYS, ("fold=1", "folds=5"), False),
    ),
)
def test_rows_that_are_in_the_order_of_their_dates_are_said_to_be_drawn_at_random(
    tmp_path, capsys, days, words, is_said
):
    rows = [[f"{day:%Y-%m-%d}", i % 40, i * i % 37, "pq"[i % 2]] for i, day in enumerate(days)]
    write_rows(tmp_path / "t.csv", [["when", "g", "x", "y"], *rows])
    data = make("csv", f"data_dir={tmp_path}/t.csv", "target=y", "batch_size=4", *words)
    said = "when: the rows are in its order: dataset.order=when tests on later rows\n"
    assert (said in capsys.readouterr().out) == is_said
    make("csv", f"data_dir={tmp_path}/t.csv", "target=y", "batch_size=4", *words, facts=data.facts)
    assert said not in capsys.readouterr().out
    if is_said:  # but not beside a test file
        for part, some in (("train", rows[:-20]), ("test", rows[-20:])):
            write_rows(tmp_path / f"{part}.csv", [["when", "g", "x", "y"], *some])
        make("csv", f"data_dir={tmp_path}/t*[nt].csv", "target=y", "batch_size=4")
        assert "parts: train is" in (out := capsys.readouterr().out) and said not in out


def test_rows_of_one_value_stay_together_and_moved_borders_are_said(tmp_path, capsys):
    rows = table(tmp_path / "t.csv", [2020 + (i >= 40) + (i >= 70) + (i >= 90) for i in range(100)])
    sizes = {part: len(its) for part, its in parts(load(tmp_path / "t.csv"), rows).items()}
    assert sizes == {"train": 70, "val": 20, "test": 10}
    assert (
        "in the order of when: train 2020 to 2021, val 2022, test 2023 (test has 10 rows, not 15, val has 20 rows, not "
        "14, since rows of one value stay together)\n"
    ) in capsys.readouterr().out


def test_a_date_without_an_end_is_none_by_which_to_sort(tmp_path):
    table(tmp_path / "t.csv", ["9999-12-31" if i % 5 == 4 else day.date() for i, day in enumerate(DAYS)])
    with pytest.raises(UserError, match=r"has no date \(year-month-day\) in when \('9999-12-31'; like 19 more rows"):
        load(tmp_path / "t.csv")


def test_beside_a_test_file_the_validation_rows_are_the_last_of_the_training_file(tmp_path, capsys):
    rows = table(tmp_path / "train.csv", map(WRITTEN["2022-11-01"], DAYS[:60]))
    table(tmp_path / "test.csv", map(WRITTEN["2022-11-01"], DAYS[60:]))
    data = load(tmp_path)
    drawn = {name: sorted(rows[int(line) - 2][0] for line in data.numbers[name]) for name in ("train", "val")}
    assert drawn == {"train": [*range(51)], "val": [*range(51, 60)]} and len(data.numbers["test"]) == 40
    assert "val 2022-12-22 to 2022-12-30, test 2022-12-31 to 2023-02-08" in (said := capsys.readouterr().out)
    assert "begins before" not in said
    table(tmp_path / "test.csv", map(WRITTEN["2022-11-01"], DAYS[40:]))
    load(tmp_path)
    assert "test begins before train ends: it is no test on rows that come later" in capsys.readouterr().out


def test_a_class_of_the_last_rows_alone_is_left_out_and_a_rare_one_of_the_training_is_not(tmp_path, capsys):
    classes = ["r", *"pq" * 46, "p", "q", *"sssss"]
    table(tmp_path / "t.csv", map(WRITTEN["2022-11-01"], DAYS), classes)
    assert load(tmp_path / "t.csv").class_names == ["p", "q", "r"]
    assert "left out, 5 rows of a class that the training does not have: s (5)" in capsys.readouterr().out


def test_what_the_columns_hold_follows_from_the_training_rows_and_the_others_are_compared_with_it(tmp_path, capsys):
    rows = [[f"k{i // 25}", i * i % 37, day.date(), "pq"[i % 2]] for i, day in enumerate(DAYS)]
    write_rows(tmp_path / "t.csv", [["patient_id", "a", "when", "y"], *rows])
    data = load(tmp_path / "t.csv", "drop=[]")
    assert data.columns[0].categories == ["k0", "k1", "k2"]
    assert "the val part: column patient_id: 10 of 13 rows have a word" in (said := capsys.readouterr().out)
    assert "dataset.group" not in said  # which cannot be had beside the order


def test_a_date_that_may_mark_missing_ones_is_doubted_though_the_column_is_no_input(tmp_path, capsys):
    days = [*map(WRITTEN["2022-11-01"], DAYS)]
    table(tmp_path / "t.csv", ["1900-01-01"] * 6 + days[6:])
    load(tmp_path / "t.csv")
    assert "when: 1900-01-01 is far from all other values, and 6% of the column" in capsys.readouterr().out


def test_a_run_with_few_examples_to_be_tested_on_is_not_told_to_take_folds_beside_the_order(tmp_path, capsys):
    table(tmp_path / "t.csv", map(WRITTEN["2022-11-01"], DAYS), [*"pq" * 43, *"p" * 14])
    named = ["dataset=csv", f"data_dir={tmp_path}/t.csv", "dataset.target=y", f"hydra.run.dir={tmp_path}/run"]
    train(configure(*named, "dataset.order=when", "trainer.fast_dev_run=true", "~callbacks.progress"))
    assert "q (val 6, test 1). The figures" in (said := capsys.readouterr().out) and "folds" not in said


@refusals(
    (["", "NA"], r"t.csv: line \d+ has no date \(year-month-day\) in when \(.*like 1 more row\), which is needed to"),
    ([f"soon{i}" for i in range(9)], r"line \d+ has no date \(year-month-day\) in when \('soon\d'; like 8 more rows"),
    (["soon"], r"line \d+ has no date \(year-month-day\) in when \('soon'\), .* fill it in, or delete such rows"),
    (["2022-01-01"] * 100, "when is 2022-01-01 in all 100 rows that are left for train and test, and rows of one val"),
    (["Q1", "Q2"] * 50, r"when holds no dates or numbers, such as 2024-01-31, .* \(its first cell is 'Q"),
    (["1/2/2022"] * 100, r"column when: '1/2/2022' can be day/month or month/day: train with dataset.day_first=true"),
    (["1,234", "1,235"] * 50, r"column when: '1,23.' can be 1.23. or 123.; .* or train with dataset.decimal=point"),
)
def test_a_column_that_gives_no_order_is_one_sentence(tmp_path, words, sentence):
    table(tmp_path / "t.csv", [*words, *map(WRITTEN["2022-11-01"], DAYS)][:100])
    with pytest.raises(UserError, match=sentence) as raised:
        load(tmp_path / "t.csv")
    assert "\n" not in str(raised.value)


def test_an_order_that_nothing_is_drawn_by_is_refused(tmp_path):
    for part in ("train", "val", "test"):
        table(tmp_path / f"{part}.csv", map(WRITTEN["2022-11-01"], DAYS))
    with pytest.raises(UserError, match=r"dataset.order=when has no effect, since test and val are given: leave it"):
        load(tmp_path)


@pytest.mark.parametrize("words", (["folds=3", "fold=0"], ["group=a"], ["split_seed=1"]))
def test_another_way_to_split_beside_the_order_is_refused_before_the_run(words):
    named = ["dataset=csv", "dataset.target=y", "hydra.run.dir=unused", "dataset.order=when"]
    with pytest.raises(UserError, match=f"dataset.{words[0]} and dataset.order=when are two ways to split the rows"):
        configure(*named, *(f"dataset.{word}" for word in words))
