"""What was inferred about a column of a table."""

from dataclasses import dataclass

import numpy as np

EMPTY = "it is empty in the training rows"


@dataclass
class Finding:
    """What was inferred about a column.

    column: its description for `encode_table`. left_out: why it does not become an input, or "".
    setting: the setting with which the user can have it treated as something else, or "".
    id_evidence: how it shows that it numbers the rows, see `id_evidence`. missing: the share of training rows without a
    value. holds: its words, or the range of its numbers, for the user.
    """

    column: dict
    left_out: str = ""
    setting: str = ""
    id_evidence: str = ""
    missing: float | None = None
    holds: str = ""

    def measured(self, numbers: np.ndarray) -> np.ndarray:
        """Note how many of the training rows' numbers are missing, and leave the column out if all are; return them."""
        self.missing = np.isnan(numbers).mean()
        if self.missing == 1:
            self.left_out = EMPTY
        return numbers
