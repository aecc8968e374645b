"""Turns errors that break a run, such as a full disk, into one sentence that says how to go on."""

import re
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from proj.config.allowed_classes import resume_command
from proj.config.explain import explain
from proj.data.loaded import shape_and_type
from proj.errors import UserError, causes, file_fault, in_own_file, message_of, named, out_of_memory, peer_is_lost
from proj.models.classifier import Classifier
from proj.models.logits import name_of_loss
from proj.system.ranks import rank
from proj.system.run_folder import RunFolder
from proj.training.robustness.lost_process import death, others

# Parts of torch's messages on a batch of one example, a kernel that adds in no fixed order, a loss without gradients,
# other weights.
ONE_EXAMPLE = re.compile("Expected more than 1 value per channel when training")
NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")
NO_GRADIENT = re.compile("does not require grad and does not have a grad_fn")
OTHER_WEIGHTS = re.compile(r"loading state_dict for (\w+):\s*(.+)")
# The functions, of Lightning's and of this project, that give a checkpoint's contents back to a run's objects.
RESTORING = {"_restore_modules_and_callbacks", "restore_training_state", "on_load_checkpoint", "bring_back", "_restore"}


@contextmanager
def run_errors(folder: Path, batch_size: int | None) -> Iterator[None]:
    """A context that raises UserError for a full disk, too little memory, the death of a process and so on."""
    hook = threading.excepthook  # silenced for such errors: TensorBoard's thread prints them although it passes them on
    threading.excepthook = lambda thread: None if file_fault(thread.exc_value) or not folder.is_dir() else hook(thread)
    try:
        yield
    except SystemExit as stop:
        if type(stop.code) is int and stop.code > 128 and RunFolder(folder).config.is_file():  # ended by a signal
            print(f"\nStopped. To continue:\n    {resume_command(folder)}")
            raise SystemExit(stop.code) from None
        raise
    except Exception as error:
        if rank() and peer_is_lost(error):
            raise SystemExit(1) from None  # the first process reports it, unless it is the one that died
        if isinstance(error, FileNotFoundError) and not folder.is_dir():
            raise UserError(f"{folder} was moved or deleted: continue with resume=<its new place>.") from error
        command = resume_command(folder)  # only now, since it depends on the configuration that the run has written
        if sentence := what_broke(error, command, batch_size):
            raise UserError(sentence) from error
        if peer_is_lost(error):
            raise UserError(f"{reason(error)}. To continue: {command}") from error
        places = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
        if places & RESTORING and not isinstance(error, UserError) and not in_own_file(error):
            run = RunFolder(folder)
            raise UserError(
                f"{run.last} does not hold what a run goes on from ({named(error, 200)}): put a copy of it back, or "
                f"delete it to go on from {run.previous.name}."
            ) from error
        raise
    finally:
        threading.excepthook = hook
        others.clear()


def reason(error: Exception) -> str:
    """Why a run has failed, in words. If another process of the run has died: which one, and how it ended."""
    of_a_peer = peer_is_lost(error) and death()
    return of_a_peer or explain(error) or what_a_forward_refuses(error) or named(error)


def what_broke(error: Exception, command: str, batch_size: int | None) -> str | None:
    """The sentence for a file error, too little memory, or what torch cannot do; None for any other error.

    command: the command that continues the run. batch_size: None if the datamodule chooses it.
    """
    if not isinstance(error, UserError) and (fault := file_fault(error)):
        return f"{fault}. What was saved before is intact. To continue: {command}"
    if not isinstance(error, UserError) and out_of_memory(error):
        return what_fills_the_memory(error, batch_size)
    said = "\n".join(str(link) for link in causes(error))
    if ONE_EXAMPLE.search(said):
        larger = "dataset.batch_size=2 or more, or " if batch_size == 1 else ""
        return (
            f"batch norm cannot train on a batch of one example a process: use {larger}a model without batch norm "
            "(model=mlp model.norm=none)."
        )
    if kernel := NOT_DETERMINISTIC.search(said):
        return (
            f"trainer.deterministic=true: {kernel[1]} has no deterministic kernel on this device. Use "
            "trainer.deterministic=warn, whose last bits may differ, or trainer=cpu."
        )
    if NO_GRADIENT.search(said):
        return (
            "the loss has no gradients, so that nothing is learned: leave detach(), item(), argmax and no_grad out of "
            "the model's forward and of the loss, and requires_grad=False out of some of its weights."
        )
    if unfit := OTHER_WEIGHTS.search(said):
        return (
            f"a checkpoint of this run does not fit {unfit[1]} ({unfit[2].rstrip('. ')}): whenever the class is built, "
            "its parameters and buffers need the same names and shapes as at the end of a training."
        )
    step = None if isinstance(error, UserError) else step_of(error)
    if step and (lack := what_a_batch_lacks(step)):
        return lack
    if refused := what_a_forward_refuses(error):
        return refused
    if not step or "measure" not in step or "loss" in step:
        return None
    name, why = name_of_loss(step["measure"]), f"{named(error)}{in_own_file(error)}"
    return f"the loss {name} fails at a batch's logits and classes ({why})."


def what_fills_the_memory(error: Exception, batch_size: int | None) -> str:
    """The sentence for too little memory: for the data, or for the batches. batch_size: see `what_broke`."""
    if "read_data" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]:
        return "the memory does not suffice for the data: use a machine that has more, or a part of the data."
    batches, smaller = f"dataset.batch_size={batch_size}", ""
    if batch_size is None:
        batches, smaller = "the batches that dataset.batch_size=null chooses", "a smaller dataset.batch_size or "
    elif batch_size > 1:
        smaller = f"dataset.batch_size={batch_size // 2} or "
    return (
        f"the memory does not suffice for {batches}: start a new run with {smaller}a smaller model; "
        "trainer.accumulate_grad_batches=2 makes up for half the batch."
    )


def step_of(error: Exception) -> dict | None:
    """The local variables of the step in which the error was raised, among them its batch; None if it was in none."""
    steps = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "_step"]
    return next(
        (one for one in steps if isinstance(one.get("self"), Classifier) and {"batch", "split"} <= {*one}), None
    )


def what_a_batch_lacks(step: dict) -> str | None:
    """The sentence for a batch, of a loader of the user's own, that is not as a network and a loss take it; None for
    any other. step: see `step_of`."""
    batch, data = step["batch"], step["self"].trainer.datamodule
    given, most = f"a {type(batch).__name__}", data.num_classes - 1
    if isinstance(batch, tuple | list):
        given = " and ".join(described(one) for one in batch)
        if len(batch) == 2 and all(isinstance(one, Tensor) and one.layout == torch.strided for one in batch):
            x, y = batch
            classes = y.dtype == torch.long and y.shape == x.shape[:1] and y.min() >= 0 and y.max() <= most
            shares = y.is_floating_point() and y.shape == (len(x), most + 1)  # of mixed examples
            if x.is_floating_point() and x.dtype != torch.double and x.shape[1:] == data.input_shape:
                if classes or shares:
                    return None
                given = f"targets of {described(y)}, {y.min():g} to {y.max():g},"
    return (
        f"{type(data).__name__}.{step['split']}_dataloader gives {given} for a batch, which must be (inputs, targets): "
        f"for each example {data.input_shape} in float32, and a whole number (int64), 0 to {most}."
    )


def described(one: object) -> str:
    return shape_and_type(one, one.shape) if isinstance(one, Tensor) else f"a {type(one).__name__}"


def what_a_forward_refuses(error: Exception) -> str | None:
    """The sentence for an error in the `forward` of a model of one's own, or of a layer of torch's that cannot take
    what it gets there; None for any other error. The traceback's frames hold the model and the layer."""
    model = layer = shape = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        here = frame.f_locals.get("self")
        if isinstance(here, Classifier):
            model = here
        if isinstance(here, nn.Module) and frame.f_code.co_name == "forward":
            layer = here
            shape = next((tuple(one.shape) for one in frame.f_locals.values() if isinstance(one, Tensor)), None)
    if isinstance(error, UserError) or model is None or layer is None or type(model).__module__.startswith("proj."):
        return None
    if type(layer).__module__.startswith("torch.nn."):
        place = next((name for name, part in model.named_modules() if part is layer), "layer")
        what = f"{type(layer).__name__}({layer.extra_repr()})"  # its own arguments, without the layers within it
        return (
            f"{class_of(model)}: its {place}, {what}, cannot take the shape {shape}: {message_of(error).rstrip('.')}."
        )
    own = in_own_file(error)
    return f"{class_of(layer)}.forward fails{own}: {named(error)}." if own else None


def class_of(one: nn.Module) -> str:
    return f"{type(one).__module__}.{type(one).__qualname__}"
