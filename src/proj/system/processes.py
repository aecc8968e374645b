"""The processes that train one run together: who starts them, on which devices, and how they end.

Either Lightning starts them itself (trainer=ddp), or torchrun or Slurm's srun does. Each of them runs the command.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from omegaconf import DictConfig, open_dict

from proj.errors import UserError
from proj.system.platform import c_library, usable_cores
from proj.system.ranks import launched_processes, rank, refuse_rank
from proj.wording import how_many

# This environment variable tells a sweep's job about its progress bar: "<descriptor of the terminal> <title>", or ""
# for no bar.
BAR = "PROJ_BAR"


def die_with_parent() -> None:
    """Have Linux kill this process when the one that started it dies, even by SIGKILL. Other systems cannot do that.

    Otherwise this process would wait for the others for ever, or train on and keep the folder locked.
    """
    if library := c_library():
        library.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


CAN_BLOCK_SIGNALS = hasattr(signal, "SIG_BLOCK")  # Windows cannot


@contextmanager
def workers_without_ctrl_c() -> Iterator[None]:
    """Processes that are started in the block do not get Ctrl-C until they call `hear_ctrl_c`; this process does. While
    a worker is still importing, Ctrl-C would have it print a traceback."""
    # SIGINT is blocked in the main thread, from which the workers inherit the block. Another thread still receives it,
    # and Python runs the handler in the main thread.
    done = threading.Event()
    threading.Thread(target=done.wait, daemon=True).start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        done.set()


def start_trackers() -> None:
    """Start the resource trackers of Python and joblib, which joblib would otherwise start with its first worker.
    Starting them unblocks signals, and so would end what `workers_without_ctrl_c` does."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):
        tracker.ensure_running()


def hear_ctrl_c() -> None:
    """Get Ctrl-C from now on, in a process that was started within `workers_without_ctrl_c`."""
    if CAN_BLOCK_SIGNALS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@cache  # once, since an error may pass several places that report it
def let_the_first_process_report() -> None:
    """Called before an error is reported: in all but the run's first process, wait until that one has ended, and end.

    It mostly has the same error, and reports it for all. If it has not ended after five seconds, the error is this
    process's own, and the function returns.
    """
    if not rank():
        return
    parent, end = os.getppid(), time.monotonic() + 5
    while os.getppid() == parent and time.monotonic() < end:  # Linux kills this process meanwhile: `die_with_parent`
        time.sleep(0.1)
    if os.getppid() != parent:
        os._exit(1)


def exit_unless_first() -> None:
    """Once a run is done, end this process at once unless it is the run's first one.

    It has nothing left to write. If it ended in the ordinary way while the first process still worked, torch's threads
    aborted it one time in twenty on a busy machine (torch 2.15, gloo), and torchrun took the run for failed.
    """
    if rank():
        sys.stdout.flush()
        os._exit(0)


def starts_more(trainer: DictConfig) -> bool:
    """Whether Lightning would start more processes for this run, with the command line of this one.

    The command line of a sweep would start the whole sweep again, so such a job needs a process with its own command.
    """
    if launched_processes():
        return False
    if str(trainer.strategy).startswith("ddp"):
        return True
    if trainer.devices in ("auto", -1):
        import torch

        return trainer.accelerator != "cpu" and torch.cuda.device_count() > 1
    return (trainer.devices if isinstance(trainer.devices, int) else len(trainer.devices)) > 1


def fit_to_processes(trainer: DictConfig) -> list:
    """Fit the trainer's settings to the processes that torchrun or srun has started; return Lightning's plugins for it.
    Raises UserError if the settings ask for other numbers of devices or nodes, and for `ddp_spawn` and the like:
    Lightning brings the weights back from processes that are started so, but not the metrics."""
    if str(trainer.strategy).endswith(("_spawn", "_fork", "_notebook")):
        raise UserError(f"trainer.strategy={trainer.strategy} returns no metrics from its processes: use trainer=ddp.")
    from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment

    launched = launched_processes()
    if trainer.num_nodes not in (1, nodes := launched[1] if launched else 1):
        raise UserError(
            f"trainer.num_nodes={trainer.num_nodes}, but this run was started on {how_many(nodes, 'machine')}: leave "
            "it out, since torchrun or Slurm's srun, which start a run on several, say how many there are."
        )
    if not launched:
        if not starts_more(trainer):
            refuse_rank()
        # In a Slurm batch script, Lightning would otherwise expect the tasks of an srun.
        return [LightningEnvironment()] if {"SLURM_JOB_ID", "SLURM_NTASKS"} & os.environ.keys() else []
    local, nodes = launched
    if trainer.devices not in ("auto", local):
        raise UserError(f"trainer.devices={trainer.devices}, but {local} processes were started: leave it out.")
    with open_dict(trainer):
        trainer.devices, trainer.num_nodes = local, nodes
        trainer.strategy = "ddp" if trainer.strategy == "auto" else trainer.strategy
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return []
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(local))  # Lightning 2.6 reads it, and srun -n 2 does not set it
    return [SLURMEnvironment(auto_requeue=False)]  # `Resume` requeues the job, after it has saved an exact checkpoint


def refuse_missing_devices(trainer: DictConfig) -> None:
    """Raises UserError if the settings ask for a device that is not there, or for far more processes than cores."""
    import torch

    if trainer.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            "a GPU is asked for, but torch finds none: use trainer=cpu, or trainer=default to use what there is."
        )
    has_mps = torch.backends.mps.is_available()
    if trainer.accelerator == "mps" and not has_mps:
        raise UserError("trainer.accelerator=mps is for Macs with Apple's chips: leave it out to use what there is.")
    devices, gpus = trainer.devices, torch.cuda.device_count()
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not gpus and not has_mps)
    if on_cpu and devices != "auto" and not (type(devices) is int and devices > 0):
        raise UserError(f"trainer.devices={devices} chooses GPUs, and this run uses none: leave it out.")
    if trainer.accelerator != "cpu" and type(devices) is int and 0 < gpus < devices:
        raise UserError(f"trainer.devices={devices} are asked for, but torch finds {gpus}: use trainer.devices={gpus}.")
    cores = usable_cores()
    if (trainer.accelerator == "cpu" or not gpus) and type(devices) is int and devices > 8 * cores:
        raise UserError(
            f"trainer.devices={devices} would start {how_many(devices, 'process')} on {how_many(cores, 'core')}: use "
            f"trainer.devices={cores}, or leave it out, since one process takes all cores."
        )


@cache  # keeps the store alive: the first process may be its server
def shared_store():
    """torch's key-value store for the processes that torchrun has started."""
    from torch.distributed import rendezvous

    store, _, _ = next(rendezvous("env://"))
    return store


def broadcast_text(make: Callable[[], str]) -> str:
    """Call `make` in the first process alone, and return its text in every process that torchrun has started."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return make()
    store = shared_store()
    if rank() == 0 and not store.check(["proj"]):
        store.set("proj", make())
    return store.get("proj").decode()
