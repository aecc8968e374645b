"""Every notebook runs from its first cell to its last, in a fork, with few steps."""

import contextlib
import io
import json
import os
import re
import shlex
from pathlib import Path

import pytest
from support import processes

NOTEBOOKS = sorted(Path(__file__).parents[1].glob("notebooks/*.ipynb"))


def run_cells(file: Path, folder: Path) -> None:
    import matplotlib
    from IPython.core.interactiveshell import InteractiveShell

    def system(command: str) -> None:
        words = shlex.split(command.partition(" 2>&1")[0])
        ended = processes.run(Path.cwd(), *words[2:], "trainer.limit_train_batches=3")
        assert words[1] == "-m" and ended.returncode == 0, ended.stderr

    os.chdir(folder)
    matplotlib.use("Agg")
    shell = InteractiveShell.instance()
    shell.system = system  # the lines that begin with an exclamation mark
    code = [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    with contextlib.redirect_stdout(io.StringIO()):  # pytest does not capture what a fork prints
        for cell in code:
            shell.run_cell(re.sub(r"max_epochs=\d+", "max_epochs=1", "".join(cell["source"]))).raise_error()


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_cell_of_a_notebook_runs(tmp_path, file):
    process = processes.new(run_cells, file, tmp_path)
    process.start()
    process.join(processes.PATIENCE)
    assert process.exitcode == 0
