"""Reads from the environment which of several processes this one is, and refuses variables that contradict it."""

import os
import re
import shutil
import sys
from typing import TextIO

from proj.errors import UserError
from proj.system.names import wrapped

# The variables that tell a process its rank, here and in Lightning.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
# All the variables that torchrun and Slurm's srun set for each process.
TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SRUN = ("SLURM_STEP_ID", "SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
SRUN += ("SLURM_STEP_TASKS_PER_NODE", "SLURM_STEP_NUM_NODES")
NO_NUMBERS = ("MASTER_ADDR", "SLURM_STEP_TASKS_PER_NODE")  # those whose value is a text


def rank() -> int:
    """The number of this process among those that train one run together. The first one, 0, writes the files."""
    return int(next((os.environ[name] for name in RANKS if os.environ.get(name)), 0))


def say(*notes: str, file: TextIO | None = None) -> None:
    """Print notes in the first process alone: wrapped to the width of a terminal, or each on a line of another file."""
    width = shutil.get_terminal_size().columns if is_terminal(file or sys.stdout) else sys.maxsize
    if not rank():
        for note in notes:
            print(wrapped(note, width), file=file)


def is_terminal(file: object) -> bool:
    """Whether what is printed into `file` appears in a terminal. A script may have replaced `sys.stdout` by any object
    with `write`, and pythonw.exe by None."""
    return bool(getattr(file, "isatty", bool)())


def check_environment() -> None:
    """Check the working folder, and the variables that tell several processes of one run apart.

    One that is set to an empty text, which Lightning would try to read, is deleted; so is an empty PROJ_DATA_DIR.
    Raises UserError for variables left over from another program, where nothing has started several processes, and for
    a working folder that no longer exists: libraries' own messages would point to something else.
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
    if not launched_processes() and not started_by_lightning():
        refuse_rank()


def started_by_lightning() -> bool:
    """Whether Lightning has set the variables of a run whose other processes it starts itself."""
    return {"LOCAL_RANK", "MASTER_PORT"} <= os.environ.keys()


def refuse_rank() -> None:
    """Raises UserError if this is the only process of a run, and the environment says that it is one of several."""
    left = [name for name in RANKS if int(os.environ.get(name) or 0)]
    if int(os.environ.get("WORLD_SIZE") or 1) > 1 and not started_by_lightning():  # Lightning leaves it after a run
        left.append("WORLD_SIZE")
    if left:
        raise left_over(left[0], "nothing has started them", "torchrun or srun")


def left_over(name: str, why: str, starter: str) -> UserError:
    """The error for the variable `name`, which says that this is one of several processes. why: what disproves it."""
    of_single_process = {"WORLD_SIZE": "1"} | dict.fromkeys(RANKS, "0")
    wrong = [key for key, value in of_single_process.items() if os.environ.get(key, value) != value]
    names = dict.fromkeys([name, *wrong])
    return UserError(
        f"{name}={os.environ[name]} in the environment says that this is one of several processes, but {why}: unset "
        f"{' '.join(names)}, or start them with {starter}."
    )


def launched_processes() -> tuple[int, int] | None:
    """(Processes on each node, nodes) if torchrun or srun has started several for a run; None if neither has.

    Raises UserError if Slurm's nodes have different numbers of processes, or if a variable that torchrun or srun sets
    is missing.
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
    """Raises UserError if one of `others` is missing, which `starter` sets together with the variable `name`."""
    if missing := [other for other in others if other not in os.environ]:
        raise left_over(name, f"{missing[0]} is missing, which {starter} sets too", starter)
