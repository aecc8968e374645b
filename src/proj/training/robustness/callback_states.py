"""Mends the states of callbacks in a checkpoint, so that Lightning can load them, also from a folder that was moved."""

import ntpath
from pathlib import Path, PureWindowsPath

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import SpikeDetection

from proj.errors import UserError
from proj.system.run_folder import RunFolder


def moved_path(path: str | None, old: str, here: str) -> str:
    """The path of a callback's file after its folder was moved from `old` to `here`. The result is always below `here`,
    since Lightning deletes files that a checkpoint names once there are better ones."""
    if not path:
        return ""
    whole = PureWindowsPath(ntpath.normpath(path))  # it accepts / and \, since the run may have begun on Windows
    return str(Path(here, whole.relative_to(old) if whole.is_relative_to(old) else whole.name))


def mend_callback_states(trainer: Trainer, checkpoint: dict) -> None:
    """Change the callbacks' states in `checkpoint` so that Lightning 2.6 can load them into the present callbacks."""
    for callback in trainer.callbacks:
        if isinstance(callback, SpikeDetection):  # it cannot load the state that it has saved
            checkpoint["callbacks"].pop(callback.state_key, None)
    for callback in trainer.checkpoint_callbacks:
        state = checkpoint["callbacks"].get(callback.state_key, {})
        if "best_k_models" not in state:  # the callback was added since, or is of another kind
            continue
        callback.current_score = state["current_score"]  # Lightning saves it, but does not load it
        old, here = str(state["dirpath"]), callback.dirpath
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[key] = moved_path(state.get(key), old, here)
        state["best_k_models"] = {moved_path(path, old, here): score for path, score in state["best_k_models"].items()}
        state["dirpath"] = here
        best = RunFolder(here).best
        if Path(state["best_model_path"]) == best and not best.is_file():  # or the run could end without a best.ckpt
            raise UserError(f"{best} is missing, the best checkpoint so far: put it back, or start a new run.")
