"""What was inferred about a column of a table."""

from dataclasses import dataclass

import numpy as np

from proj.data.tables.input_column import InputColumn

EMPTY, CONSTANT = "it is empty in the training rows", "it is always the same"
EVIDENCE = 20  # with fewer rows, no column is left out because of what its cells look like


@dataclass
class Finding:
    """What was inferred about a column.

    column: what it becomes; None if nothing was looked for. left_out: why it does not become an input, or "".
    setting: the setting with which the user can have it treated as something else, or "".
    id_evidence: how it shows that it numbers the rows, see `id_evidence`. missing: the share of training rows without a
    value. holds: its words, or the range of its numbers, for the user.
    """

    column: InputColumn | None
    left_out: str = ""
    setting: str = ""
    id_evidence: str = ""
    missing: float | None = None
    holds: str = ""

    def note_missing(self, numbers: np.ndarray) -> None:
        """Note how many of the training rows' numbers are missing, and leave the column out if all are."""
        self.missing = np.isnan(numbers).mean()
        if self.missing == 1:
            self.left_out = EMPTY
