"""Compares a stopped run with now: other settings or data are refused, and another machine gives a warning."""

import json
import math
from itertools import zip_longest
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch import Trainer

from proj.config.allowed_classes import resume_command
from proj.config.new_folder import TAKEN
from proj.config.own_code import own_code
from proj.config.settings.table import policy
from proj.config.stored_run import listed_since
from proj.data.class_names import spelling
from proj.errors import UserError
from proj.system.files import write_atomically
from proj.system.platform import processor
from proj.system.ranks import say
from proj.system.run_folder import RunFolder, SweepFolder, flat, read_flat
from proj.system.shell import as_command
from proj.wording import first_of, how_many


def differs(key: str, before: Any, now: Any) -> bool:
    """Whether a setting has another value now. Of batches, 1 is a single one, and 1.0 all of them."""
    is_of_batches = key.startswith("trainer.") and key.endswith(("_batches", "_interval"))
    return before != now or (is_of_batches and now == 1 and type(before) is not type(now))


def refuse_changes(old: dict, new: dict, folder: Path) -> None:
    """Raises UserError if a setting differs that cannot be changed when a run is resumed. old, new: configurations."""
    before, now = listed_since() | flat(old, "."), listed_since() | flat(new, ".")
    scheduled = any(str(value).startswith("steps") for value in (old["scheduler"] or {}).values())
    fixed = ("fixed", "scheduled") if scheduled else ("fixed",)
    length = ("trainer.max_epochs", "trainer.max_steps")  # the schedule depends on these
    changes = {
        key: f"{key}: {before.get(key)} in the run, {now.get(key)} now"
        for key in sorted(before.keys() | now.keys())
        if differs(key, before.get(key), now.get(key)) and policy(key).resume in fixed
    }
    if scheduled and changes and all(key in length for key in changes):
        steps, epochs = before["trainer.max_steps"], before["trainer.max_epochs"]
        planned = how_many(steps, "step") if steps > 0 else how_many(epochs, "epoch")
        raise UserError(
            f"{folder} holds a run whose learning rate is scheduled for {planned}: for another length, start "
            "a new run; with scheduler=none, a run can be trained further later."
        )
    # If another model, say, was chosen, all other differences follow from that.
    changes = {key: text for key, text in changes.items() if key.startswith("choices.")} or changes
    if changes:
        file = RunFolder(folder).config
        written = read_flat(file)
        cure = f"To continue it: {resume_command(folder)}"
        if written and not any(differs(key, written.get(key), now.get(key)) for key in changes):
            cure = f"{file} was changed after the run began: undo that to continue the run"
        raise UserError(
            f"{folder} holds a run with other settings ({'; '.join(changes.values())}). {cure}; for a new run, choose "
            f"another {'cfg.output_dir, or call configure again' if TAKEN else 'hydra.run.dir'}."
        )


def refuse_to_start_over(folder: Path) -> None:
    """Raises UserError if a new run would overwrite the results of a run whose last.ckpt is missing, or the config.yaml
    of another program.

    A run that was killed before its first checkpoint has nothing to lose, and may start over.
    """
    run = RunFolder(folder)
    if run.config.is_file() and "choices.dataset" not in read_flat(run.config):
        raise UserError(f"{run.config} is another program's and would be overwritten: choose another hydra.run.dir.")
    left = [run.record] if read_flat(run.record).get("saved") else []
    if run.metrics.is_file():
        left.append(run.metrics)
    if run.best.is_file() and not any(file.is_file() for file in (run.record, run.metrics, run.config)):
        left.append(run.best)  # a best.ckpt alone was copied here from elsewhere
    if left:
        raise UserError(
            f"{folder} holds a run that cannot be resumed without its last.ckpt, and a new run would overwrite its "
            f"best.ckpt and curves: put last.ckpt back, choose another hydra.run.dir for a new run, or delete "
            f"{' and '.join(file.name for file in left)} in {folder} to start over."
        )


def renamed(before: list[str] | None, now: list[str]) -> str:
    """Which classes have another name now, in words; "" if none has, whatever their spelling, or where `before` is not
    known. A checksum of the data does not tell, since it holds the places of the classes among them."""
    pairs = [] if before is None else zip(before, now, strict=False)
    return first_of([f"{old!r} then, {new!r} now" for old, new in pairs if spelling(old) != spelling(new)], 3)


def alike(before: Any, now: Any, unit: float = 0.0) -> bool:
    """Whether two descriptions of columns agree, in whatever spelling and but for rounding. unit: of the numbers."""
    if isinstance(before, dict):
        left_out, unit = {"covered"}, before.get("std", unit)  # it follows from the words; older versions lack it
        told = before.keys() - left_out
        same_keys = isinstance(now, dict) and told == now.keys() - left_out
        return same_keys and all(alike(before[key], now[key], unit) for key in told)
    if isinstance(before, list | tuple):
        return len(before) == len(now) and all(alike(*pair, unit) for pair in zip(before, now, strict=True))
    if isinstance(before, float):
        return math.isclose(before, now, rel_tol=1e-6, abs_tol=1e-6 * unit)
    return spelling(before) == spelling(now) if isinstance(before, str) else before == now


def other_columns(before: list[dict] | None, now: list[dict] | None) -> str:
    """Which columns of a table have another name, scale or other words now; "" if none has, or where `before` is not
    known. A checksum of the data does not tell, since it is of the inputs, which are standardised.

    before, now: each column as `InputColumn.to_dict` describes it.
    """
    pairs = zip_longest(before, now or []) if before else []
    names = [(new or old)["name"] for old, new in pairs if not alike(old, new)]
    return f"another name, scale or words of {first_of(names, 3)}" if names else ""


def refuse_data_unlike_other_jobs(
    folder: Path, dataset: dict, checksum: str, class_names: list[str], columns: list[dict] | None = None
) -> None:
    """Raises UserError if an earlier job of the same sweep had other examples, other names of the classes, or other
    columns, with the same settings of the dataset.

    dataset: those settings. checksum: that of this job's examples. For this project's own datasets the seed is ignored,
    since it does not choose examples: the jobs of all seeds have the same ones. columns: see `other_columns`.
    """
    sweep = SweepFolder(folder.parent)
    left_out = ("never", "seed") if dataset["_target_"].startswith("proj.data.") else ("never",)
    compared = {key: value for key, value in dataset.items() if policy(f"dataset.{key}").report not in left_out}
    file = sweep.data_of(str([sorted(compared.items()), dataset.get("data_dir")]))  # of the first job
    if not (sweep.manifest.is_file() and RunFolder(folder).job.is_file()):
        return
    if not file.is_file():
        write_atomically(file, f"{checksum}\n{json.dumps(class_names)}\n{json.dumps(columns)}")
    before, *known = file.read_text(encoding="utf-8").split("\n")
    names, described = [*map(json.loads, known), None, None][:2]  # older versions wrote no columns, or no names either
    what = f"checksum {before} in theirs, {checksum} now" if before != checksum else other_columns(described, columns)
    if what:
        raise UserError(
            f"{sweep.path} holds jobs on other data ({what}): a file has changed, "
            "or an older version of proj has read it differently. Put the file back, or begin a new sweep."
        )
    if others := renamed(names, class_names):
        raise UserError(
            f"{sweep.path} holds jobs whose classes have other names ({others}): give them the names of these jobs "
            f"again, and type python -m proj.sweep resume={as_command([str(sweep.path)])}, or begin a new sweep."
        )


def environment(trainer: Trainer, config: dict) -> dict[str, str | int]:
    """What a run depends on beside its settings: its machine, and users' own Python files that its `config` names."""
    device = trainer.strategy.root_device
    return {
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
        "processor": f"{processor()} ({torch.backends.cpu.get_cpu_capability()})",  # its name and instruction set
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "processes": trainer.world_size,
        **own_code(config),
    }


def compare_environments(before: dict, now: dict, folder: Path) -> None:
    """Print what differs between two environments. Raises UserError for another number of processes."""
    if before["processes"] != now["processes"]:
        raise UserError(
            f"{folder} holds a run of {how_many(before['processes'], 'process')}, not of {now['processes']}: they "
            f"share each batch. Resume it with trainer.devices={before['processes']}."
        )
    before = now | before  # older versions did not store the user's files
    changed = [name for name in now if before[name] != now[name]]
    code = [name for name in changed if name.endswith(".py")]  # of which the values are checksums
    changes = [f"{', '.join(code)} changed since the run began"] if code else []
    changes += [f"{name}: {before[name]} in the run, {now[name]} now" for name in changed if name not in code]
    exact = torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled()
    if now["device"] != "cpu" and not exact:
        changes.append(f"some kernels of {now['device']} add in no fixed order; trainer.deterministic=true avoids them")
    if changes:
        what = "results" if code else "last bits"
        say(f"The {what} may differ from those of an unbroken run ({'; '.join(changes)}).")
