"""Columns of free text: an input for each frequent word, also of a new table, and what cannot be done with them."""

import pytest
import torch
from support.evaluations import evaluate
from support.runs import make
from support.tables import write_rows

from proj.data.tables.one_column import WholeColumn
from proj.data.tables.texts import TextColumn, measure_text, words_in
from proj.errors import UserError
from proj.training.run import train
from proj.use.inputs import read_tables
from proj.use.prediction import predict
from proj.use.raw_columns import RawColumns

SPAM, HAM = "You have won a free prize, number {}: claim it now!", "Mum and I are at home tonight, see you at {}"


@pytest.fixture
def messages(tmp_path):
    """80 messages with their length, of which every second one is spam; one has no text."""
    rows = [[text.format(i), len(text), kind] for i in range(40) for text, kind in ((SPAM, "spam"), (HAM, "ham"))]
    rows[7][0] = ""
    return write_rows(tmp_path / "messages.csv", [["message", "length", "kind"], *rows])


def columns_of(messages, *words) -> list[dict]:
    return make("csv", f"data_dir={messages}", "target=kind", "drop=[length]", *words).columns


def test_the_words_of_a_text_are_found_whatever_their_case_and_however_their_accents_are_stored():
    assert words_in("Café-au-lait, CAFE\u0301 & 2 x 250 ml: don't!") == {"café", "au", "lait", "250", "ml", "don"}


def test_which_of_equally_frequent_words_are_taken_does_not_depend_on_the_order_of_a_set(monkeypatch):
    cells = WholeColumn(["red blue sky", "red blue sky"])
    for order in (sorted, lambda words: sorted(words, reverse=True)):  # that of a set differs in every process
        monkeypatch.setattr("proj.data.tables.texts.words_in", lambda cell, order=order: order(words_in(cell)))
        assert measure_text("a", cells, 2).text == ["blue", "red"]


def test_a_text_becomes_one_input_for_each_word_that_occurs_in_most_cells():
    cells = WholeColumn(["red red red", "a blue sky", "Blue, red and green", "", "the blue sky"])
    assert measure_text("a", cells, 3) == TextColumn("a", ["blue", "red", "sky"])
    assert measure_text("a", cells, 1).text == ["blue"]  # in three cells, and red in two, once three times
    expected = [[0, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert measure_text("a", cells, 3).encode(cells, str, ".", ".").tolist() == expected
    some = cells.take(torch.tensor([2, 3]).numpy())
    assert TextColumn("a", ["sky", "red"]).encode(some, str, ".", ".").tolist() == [[0, 1], [0, 0]]


def test_words_are_taken_from_the_training_rows_and_the_run_says_how_many(messages, capsys):
    (column,) = columns_of(messages, "text=[message]", "max_words=5")
    assert len(column.text) == 5 and {*column.to_dict()} == {"name", "text"}
    assert "words of texts: message (5)" in capsys.readouterr().out
    data = make("csv", f"data_dir={messages}", "target=kind", "text=[message]", "batch_size=8")
    assert "won" in data.columns[0].text and "39" not in data.columns[0].text
    assert data.input_shape == (len(data.columns[0].text) + 1,)
    assert data.described[0]["missing"] in ("0.00%", "1.72%") and "won" in data.described[0]["holds"]


def test_a_table_of_texts_alone_is_refused_with_the_setting_that_takes_their_words(messages):
    with pytest.raises(UserError, match=r"message: it is free text\): 'dataset\.text=\[message\]' learns from its wor"):
        columns_of(messages)


def test_texts_without_a_common_word_are_refused(tmp_path):
    rows = [[f"word{i} other{i}", i % 3, "pq"[i % 2]] for i in range(40)]
    file = write_rows(tmp_path / "t.csv", [["a", "b", "y"], *rows])
    with pytest.raises(UserError, match=r"a has no word that occurs in two of the training rows: .* dataset\.text"):
        make("csv", f"data_dir={file}", "target=y", "text=[a]")
    with pytest.raises(UserError, match=r"a is in dataset\.text and in another list"):
        make("csv", f"data_dir={file}", "target=y", "text=[a]", "categorical=[a]")


def test_a_model_of_texts_is_tested_predicts_and_cannot_be_exported_with_them(messages, configure, tmp_path, capsys):
    words = ["dataset=csv", f"data_dir={messages}", "dataset.target=kind", "dataset.text=[message]", "model=mlp"]
    metrics = train(configure(*words, "dataset.drop=[length]", "trainer.max_epochs=4", folder=tmp_path / "run"))
    assert metrics["test/acc"] == 1
    best = tmp_path / "run" / "best.ckpt"
    new = [["message"], ["CLAIM your free prize"], ["home tonight?"], ["unknown vocabulary"], [""]]
    rows = [*predict(best, str(write_rows(tmp_path / "new.csv", new)))]
    assert [row["class"] for row in rows[:2]] == ["spam", "ham"]
    assert rows[2]["probabilities"] == rows[3]["probabilities"]
    assert evaluate(best, split="test")["acc"] == 1
    capsys.readouterr()
    foreign = [["message", "kind"], *([f"quite foreign {i}", "spam"] for i in range(9))]
    other = write_rows(tmp_path / "other.csv", foreign)
    evaluate(best, data_dir=str(other), split="all")
    assert "column message: the model knows none of its words" in capsys.readouterr().out
    columns = columns_of(messages, "text=[message]")
    with pytest.raises(UserError, match=r"exported file cannot look for the words .*\(column message\): add raw=false"):
        RawColumns(columns)


def test_the_inputs_of_a_new_table_are_those_of_the_training(messages):
    data = make("csv", f"data_dir={messages}", "target=kind", "drop=[length]", "text=[message]")
    rows = [row.x for row in read_tables([str(messages)], data.columns)]
    inputs = {tuple(row.tolist()) for split in data.splits.values() for row in split.inputs}
    assert {tuple(row.tolist()) for row in rows} == inputs


def test_the_words_of_a_text_that_several_rows_share_count_once_for_each_row():
    cells = WholeColumn(["good day", "good day", "bad night", "bad luck"])
    assert measure_text("t", cells, 10).text == ["bad", "day", "good"]
