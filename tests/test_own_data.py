"""A folder of photos and a table of one's own."""

import pytest
import torch

from proj.config import build
from proj.data.table import encode
from proj.errors import UserError

COLUMNS = [
    {"name": "age", "mean": 30.0, "std": 10.0},
    {"name": "port", "categories": ["C", "Q", "S"]},
    {"name": "fare", "mean": 0.0, "std": 1.0},
]


def test_numbers_are_standardised_and_words_become_an_input_each():
    x = encode([["40", "C", "1.5"], [" 2e1", "S ", "-0.5"]], COLUMNS)
    assert x.dtype == torch.float32 and x.tolist() == [[1, 1, 0, 0, 1.5], [-1, 0, 0, 1, -0.5]]
    assert encode([], COLUMNS).shape == (0, 5)


def test_a_missing_number_becomes_the_mean_and_a_missing_or_unknown_word_no_word():
    x = encode([["", "", "nan"], ["?", "Southampton", "N/A"]], COLUMNS)
    assert x.tolist() == [[0] * 5] * 2


@pytest.mark.parametrize("text", ("forty", "inf", "1_000", "1,5"))
def test_a_cell_that_is_no_number_is_named_by_row_and_column(text):
    with pytest.raises(UserError, match=rf"row 3, column age: '{text}' is no number"):
        encode([["1", "C", "1"], [text, "C", "1"]], COLUMNS, first=2)
    with pytest.raises(UserError, match="row 1 has 2 values for 3 columns: age, port, fare"):
        encode([["1", "C"]], COLUMNS)


@pytest.mark.parametrize("standardize", ("true", "false"))
def test_the_columns_of_iris_encode_its_rows(configure, standardize):
    data = build(configure(f"dataset.standardize={standardize}").dataset)
    data.setup()
    first = data.splits["train"].inputs[:1]
    raw = first * torch.tensor([c["std"] for c in data.columns]) + torch.tensor([c["mean"] for c in data.columns])
    rows = [[f"{value:.1f}" for value in raw[0].tolist()]]  # as in the file: millimetres
    assert torch.allclose(encode(rows, data.columns), first, atol=1e-6)
    assert [c["name"] for c in data.columns] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
