"""What the environment tells a process of the others that train the same run, and what in it cannot be."""

import os
import re
import shutil
import sys
from typing import TextIO

from proj.errors import UserError
from proj.system.names import wrapped

# What tells a process its number, for Lightning too, and what torchrun and Slurm's srun set beside it.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SRUN = ("SLURM_STEP_ID", "SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
SRUN += ("SLURM_STEP_TASKS_PER_NODE", "SLURM_STEP_NUM_NODES")
NO_NUMBERS = ("MASTER_ADDR", "SLURM_STEP_TASKS_PER_NODE")


def rank() -> int:
    """The number of this process among those that train one run together; the first, 0, writes the files."""
    return int(next((os.environ[name] for name in RANKS if os.environ.get(name)), 0))


def say(*notes: str, file: TextIO | None = None) -> None:
    """Print notes, in the first process alone: `wrapped` in a terminal, and each a line of any other file."""
    width = shutil.get_terminal_size().columns if (file or sys.stdout).isatty() else sys.maxsize
    if not rank():
        for note in notes:
            print(wrapped(note, width), file=file)


def look_at_environment() -> None:
    """Forget the empty ones of the variables that tell processes which of several they are, which Lightning would read,
    and of the data's folder.

    Raises UserError for those that somebody has left there, where nothing has started several processes, and for a
    working folder that is gone, which libraries take for something else.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UserError("the folder in which this command was started is no longer there: cd to another.") from error
    names = (*TORCHRUN, *SRUN, "NODE_RANK", "SLURM_STEP_NUM_TASKS")
    for name in (*names, "PROJ_DATA_DIR"):
        if os.environ.get(name) == "":
            del os.environ[name]
    if left := [name for name in names if name not in NO_NUMBERS and not os.environ.get(name, "0").isdecimal()]:
        raise left_over(left[0], "nothing has started them", "torchrun or srun")
    if not started() and not by_lightning():
        refuse_rank()


def by_lightning() -> bool:
    """Whether the environment has what Lightning sets of a run in which it starts the other processes itself."""
    return {"LOCAL_RANK", "MASTER_PORT"} <= os.environ.keys()


def refuse_rank() -> None:
    """Raises UserError where the environment says of the only process of a run that it is one of several."""
    left = [name for name in RANKS if int(os.environ.get(name) or 0)]
    if int(os.environ.get("WORLD_SIZE") or 1) > 1 and not by_lightning():  # which leaves it there after such a run
        left.append("WORLD_SIZE")
    if left:
        raise left_over(left[0], "nothing has started them", "torchrun or srun")


def left_over(name: str, why: str, starter: str) -> UserError:
    """The error of a process that is not one of several, though a variable of its environment says so."""
    first = {"WORLD_SIZE": "1"} | dict.fromkeys(RANKS, "0")  # what they are in the only process
    names = dict.fromkeys([name, *(one for one, alone in first.items() if os.environ.get(one, alone) != alone)])
    return UserError(
        f"{name}={os.environ[name]} in the environment says that this is one of several processes, and {why}: unset "
        f"{' '.join(names)}, or start them with {starter}."
    )


def started() -> tuple[int, int] | None:
    """(processes a node, nodes) where torchrun or srun has started several for a run; None where this is the only one.

    Raises UserError where Slurm's nodes have different numbers, or only a part of what torchrun or srun sets is there.
    """
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        refuse_missing("TORCHELASTIC_RUN_ID", TORCHRUN, "torchrun")
        return int(env["LOCAL_WORLD_SIZE"]), int(env["GROUP_WORLD_SIZE"])
    if int(env.get("SLURM_STEP_NUM_TASKS") or 1) < 2:
        return None
    refuse_missing("SLURM_STEP_NUM_TASKS", SRUN, "srun")
    tasks = re.fullmatch(r"(\d+)(\(x\d+\))?", env["SLURM_STEP_TASKS_PER_NODE"])
    if not tasks:
        raise UserError(
            f"Slurm has spread the tasks unevenly over the nodes ({env['SLURM_STEP_TASKS_PER_NODE']}): give srun "
            "--ntasks-per-node."
        )
    return int(tasks[1]), int(env["SLURM_STEP_NUM_NODES"])


def refuse_missing(name: str, others: tuple[str, ...], starter: str) -> None:
    """Raises UserError where a variable says that several processes were started, and one of the others is missing."""
    if missing := [other for other in others if other not in os.environ]:
        raise left_over(name, f"{missing[0]} is missing, which {starter} sets too", starter)
