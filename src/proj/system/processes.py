"""The processes that train one run together: who starts them, on which devices, and how they end.

Lightning starts them itself (trainer=ddp), or torchrun or Slurm's srun has: the command then runs in each of them.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from omegaconf import DictConfig, open_dict

from proj.errors import UserError, how_many
from proj.system.platform import STOP_SIGNALS, c_library, usable_cores
from proj.system.ranks import rank, refuse_rank, started

BUT_CTRL_C = tuple(number for number in STOP_SIGNALS if number != signal.SIGINT)
# In the environment of a sweep's job: the number of the open file that is the terminal, and what the job's bar begins
# with; empty where it shows no bar.
BAR = "PROJ_BAR"


def die_with_parent() -> None:
    """Have Linux kill this process when the one that started it dies, even by SIGKILL; other systems cannot.

    Left alone it would wait for the others for ever, or train on and keep the folder locked.
    """
    if library := c_library():
        library.prctl(1, 9)  # PR_SET_PDEATHSIG: signal 9


@contextmanager
def stop_signals_as_exits(numbers: Iterable[int] = BUT_CTRL_C) -> Iterator[list[int]]:
    """A signal that asks to stop ends the command within as Ctrl-C does, where nothing else has taken it.

    numbers: of the signals; those that this process was started to ignore, as with & in a script, stay so.
    Yields the numbers of those that came: Python goes on after one that comes while it destroys an object.
    """
    came: list[int] = []

    def end(number: int, frame) -> None:
        came.append(number)
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


CAN_KEEP_SIGNALS = hasattr(signal, "SIG_BLOCK")  # which Windows cannot


@contextmanager
def keeping_ctrl_c() -> Iterator[None]:
    """Ctrl-C reaches this process, and none that it starts within until that calls `hear_ctrl_c`.

    While they import, each of them would print a traceback.
    """
    done = threading.Event()
    hears = threading.Thread(target=done.wait, daemon=True)  # Python hands on what it gets to the main thread
    hears.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        done.set()


def start_trackers() -> None:
    """Start what joblib starts before its first worker, and what lets signals through again that were kept."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):
        tracker.ensure_running()


def hear_ctrl_c() -> None:
    """Get Ctrl-C from now on, in a process that was started within `keeping_ctrl_c`."""
    if CAN_KEEP_SIGNALS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def leave() -> None:
    """End this process at once if it is not the first of a run that is done.

    It has nothing left to write. Ended in the ordinary way while the first still works, one in twenty was aborted by
    torch's own threads on a busy machine (torch 2.15, gloo), and torchrun took the run for failed.
    """
    if rank():
        sys.stdout.flush()
        os._exit(0)


def starts_more(trainer: DictConfig) -> bool:
    """Whether Lightning would start more processes for this run, by the same command line.

    A sweep's command line is not that of one run, so that such a job is given a process with a command of its own.
    """
    if started():
        return False
    if str(trainer.strategy).startswith("ddp"):
        return True
    if trainer.devices in ("auto", -1):
        import torch

        return trainer.accelerator != "cpu" and torch.cuda.device_count() > 1
    return (trainer.devices if isinstance(trainer.devices, int) else len(trainer.devices)) > 1


def take_part(trainer: DictConfig) -> list:
    """Fit the settings of Lightning's trainer to the processes that were started; return its plugin for them.

    Raises UserError where other devices are asked for, and for `ddp_spawn` and its like: from processes that are
    started in this way Lightning takes the weights back, and not what the run's figures are made of.
    """
    if str(trainer.strategy).endswith(("_spawn", "_fork", "_notebook")):
        raise UserError(f"trainer.strategy={trainer.strategy} gives no figures of its processes back: use trainer=ddp.")
    from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment

    there = started()
    if trainer.num_nodes not in (1, nodes := there[1] if there else 1):
        raise UserError(
            f"trainer.num_nodes={trainer.num_nodes}, but this run was started on {how_many(nodes, 'machine')}: leave "
            "it out, since torchrun or Slurm's srun, which start a run on several, say how many there are."
        )
    if not there:
        if not starts_more(trainer):
            refuse_rank()
        # In a batch script of Slurm's, say, Lightning would look for srun's tasks.
        return [LightningEnvironment()] if {"SLURM_JOB_ID", "SLURM_NTASKS"} & os.environ.keys() else []
    local, nodes = there
    if trainer.devices not in ("auto", local):
        raise UserError(f"trainer.devices={trainer.devices}, but {local} processes were started: leave it out.")
    with open_dict(trainer):
        trainer.devices, trainer.num_nodes = local, nodes
        trainer.strategy = "ddp" if trainer.strategy == "auto" else trainer.strategy
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return []
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(local))  # Lightning 2.6 asks for it; srun -n 2 does not set it
    return [SLURMEnvironment(auto_requeue=False)]  # `Resume` queues it again, after a checkpoint that is exact


def refuse_missing_devices(trainer: DictConfig) -> None:
    """Raises UserError where more GPUs are asked for than there are, or far more processes than a CPU has cores."""
    import torch

    if trainer.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            "a GPU is asked for, and torch finds none: use trainer=cpu, or trainer=default to take what is there."
        )
    devices, there = trainer.devices, torch.cuda.device_count()
    if trainer.accelerator != "cpu" and type(devices) is int and 0 < there < devices:
        raise UserError(
            f"trainer.devices={devices} are asked for, and torch finds {there}: use trainer.devices={there}."
        )
    cores = usable_cores()
    if (trainer.accelerator == "cpu" or not there) and type(devices) is int and devices > 8 * cores:
        raise UserError(
            f"trainer.devices={devices} would start {how_many(devices, 'process')} on {how_many(cores, 'core')}: use "
            f"trainer.devices={cores}, or leave it out, since one process takes all cores."
        )


@cache  # the first process may serve it, as long as the object lives
def shared_store():
    from torch.distributed import rendezvous

    store, _, _ = next(rendezvous("env://"))
    return store


def agree(make: Callable[[], str]) -> str:
    """The text that `make` returns in the first process, for all processes that torchrun has started."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return make()
    store = shared_store()
    if rank() == 0 and not store.check(["proj"]):
        store.set("proj", make())
    return store.get("proj").decode()
