"""What was found out of one column of a table."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Finding:
    """What was found out of a column.

    column: as `encode_table` takes it. left_out: why it is no input, or "". setting: the one with which it is taken for
    something else, or "". numbers_rows: see `is_id`. missing: the share of the training rows that have no value.
    holds: its words, or the range of its numbers.
    """

    column: dict
    left_out: str = ""
    setting: str = ""
    numbers_rows: str = ""
    missing: float | None = None
    holds: str = ""

    def measured(self, numbers: np.ndarray) -> np.ndarray:
        """These numbers of the training rows; a column that has none there is left out."""
        self.missing = np.isnan(numbers).mean()
        if self.missing == 1:
            self.left_out = "it is empty in the training rows"
        return numbers
