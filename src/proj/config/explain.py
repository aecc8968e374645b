"""Turns errors of Hydra, OmegaConf and Lightning into one sentence each; HYDRA_FULL_ERROR=1 shows the traceback.

For a setting that does not exist, the sentence suggests the one that was probably meant.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, InterpolationKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from proj.config.declared import TAKE_SEVERAL
from proj.config.settings.table import SETTINGS, policy
from proj.config.unknown_option import missing_option
from proj.config.unknown_setting import unknown_setting
from proj.config.words import GROUPS, with_points
from proj.errors import UserError, causes, file_fault, in_own_file, message_of, nearest, out_of_memory, peer_is_lost
from proj.system.names import one_line
from proj.system.processes import let_the_first_process_report
from proj.system.shell import as_command

NEW_FOLDER = ", or choose another folder: hydra.run.dir=… for a new run, hydra.sweep.dir=… for a new sweep"

# The modules that refuse what a model logs or does.
MODELS = "lightning.pytorch.core."
LOGGERS = ("lightning.pytorch.loggers.", "lightning.fabric.loggers.", "torch.utils.tensorboard.", "proj.pictures.")
# What Hydra and OmegaConf say of a value, after the setting's name, and the sentence that tells what to type.
IN_OWN_WORDS = {
    r"field '(.+)' is not Optional": r"\1=null gives it no value: leave that word out, or type another value.",
    r"Additional config directory '(.+)' not found": r"--config-dir=\1: there is no such folder.",
    r".* remove \+ prefix: '(.+)' Or add .*": r"+\1 adds a setting that is there already: type \1 without the plus.",
    r"(.+): .*Cannot convert '\w+' to string: '(.+)'": r"\1=\2 is not a text: leave the brackets out.",
    r"(.+): Value '(.+)' of type '\w+' could not be converted to Integer": r"\1=\2 is not a whole number.",
    r"(.+): Value '(.+)' of type '\w+' could not be converted to Float": r"\1=\2 is not a number.",
    r"(.+): (Invalid type assigned|Cannot merge DictConfig with|Cannot assign \w+ to Dict).*": (
        r"\1 holds several settings: name one of them, \1.…=…"
    ),
    r"(.+?): .*Environment variable '(.+)' not found\"": (
        r"\1 refers to the environment variable \2, which is not set: set it, or name a value for this case, as in "
        r"'\1=${oc.env:\2,5}'."
    ),
    r"(.+): Recursive interpolation detected": r"\1 refers to itself: give it a value.",
    r"(.+): Unsupported interpolation type (.+)": r"\1 refers to ${\2:…}, and there is only ${oc.env:…}.",
    r"Error resolving interpolation .*, possible interpolation keys: .*": (
        "the option of a group cannot be a reference (${…}): type its name, such as dataset=mnist."
    ),
    r"(.+): .* does not support deletion": r"~\1 cannot be left out: leave that word out.",
}


def in_own_words(said: str) -> str:
    """The sentence for what a library says of a value; what it says itself if it is not in the table."""
    found = (re.fullmatch(pattern, said) for pattern in IN_OWN_WORDS)
    return next((match.expand(IN_OWN_WORDS[match.re.pattern]) for match in found if match), said)


def explain(error: BaseException, elsewhere: str = NEW_FOLDER) -> str | None:
    """The sentence for an error that the user can fix; None for a bug. elsewhere: see `file_fault`."""
    if isinstance(error, UserError):
        return str(error)
    return (
        of_the_machine(error, elsewhere)
        or of_a_word(error)
        or of_a_file(error)
        or of_a_value(error)
        or of_a_model(error)
    )


def of_the_machine(error: BaseException, elsewhere: str) -> str | None:
    """The sentence for an error that comes from the machine, its files or its settings."""
    if isinstance(error, Warning) and sys.warnoptions:
        return f"PYTHONWARNINGS or -W makes an error of what a library warns of ({message_of(error)}): leave it out."
    if peer_is_lost(error):
        return "another process of this run has died"
    if fault := file_fault(error, elsewhere):
        return fault
    if out_of_memory(error):
        return "the memory does not suffice: end other programs that take it, or use a machine that has more."
    return None


def of_a_word(error: BaseException) -> str | None:
    """The sentence for a word of the command line that names no setting or option, or that Hydra cannot take."""
    cause, text = error.__cause__ or error, str(error)
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        typed = re.match(r"Could not override '(.+)'", text)
        return unknown_setting(cause, typed[1] if typed else str(cause.full_key))
    if isinstance(error, MissingConfigException) and (said := missing_option(error)):
        return said
    if several := re.match(r"Ambiguous value for argument '(.+)'\n", text):
        return several_values(several[1])
    if absent := re.match(r"Could not delete from config\. '(.+)' does not exist", text):
        return nothing_to_leave_out(absent[1])
    if text.startswith("Config group override must be"):
        return "a group of options cannot be null or a number: name one of its options."
    return None


def of_a_file(error: BaseException) -> str | None:
    """The sentence for a file of options that is no YAML."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}, is no YAML: {error.problem}."
    if isinstance(error, UnicodeDecodeError | YAMLError) and (file := options_in(error)):
        return f"{file} is no YAML in UTF-8: save it anew in that encoding, without control characters."
    return None


def of_a_value(error: BaseException) -> str | None:
    """The sentence for a value that Hydra or OmegaConf refuses, or that refers to something that is missing."""
    cause = error.__cause__ or error
    if isinstance(cause, InterpolationKeyError) and cause.full_key:
        if absent := re.search(r"Interpolation key '(.+?)' not found", str(cause)):
            return f"{cause.full_key} refers to {absent[1]}, which is missing: give +{absent[1]}=…"
        return f"{cause.full_key} refers to a setting that is missing: {message_of(cause).partition(' full_key')[0]}."
    if "Incompatible key type 'NoneType'" in str(cause):
        key = getattr(cause, "full_key", "")
        example = as_command([f"{key}={{'null':5}}"])
        return f"{key} holds a name that reads as null: write it in quotation marks, such as {example}."
    if isinstance(error, OmegaConfBaseException) or isinstance(cause, OmegaConfBaseException):
        said, key = message_of(cause).partition(" full_key")[0], getattr(cause, "full_key", None)
        return in_own_words(said if not key or key in said else f"{key}: {said}")
    place = raised_in(error)
    if place.startswith(("omegaconf.", "hydra._internal.config")) and isinstance(error, ValueError | TypeError):
        return f"a list is given as a whole, such as optimizer.betas=[0.9,0.99], or one place by its number ({error})."
    if isinstance(error, HydraException):
        return in_own_words(" ".join(str(error).split("\nSee https")[0].split()))
    if isinstance(error, AssertionError) and place == "hydra.core.utils":
        return "hydra.verbose takes true, false, or the names of loggers in a list, such as hydra.verbose=[proj]."
    return None


def of_a_model(error: BaseException) -> str | None:
    """The sentence for a metric that is not measured, and for what Lightning refuses."""
    if metric := re.search(r"(?:monitor='|on metric `)(.+?)['`].* (?:metrics|following): (.+?)(?: HINT|$)", str(error)):
        return f"monitor={metric[1]} does not exist." + nearest(metric[1], re.findall(r"['`]([\w/]+)['`]", metric[2]))
    place = raised_in(error)
    is_lightnings = place.startswith(MODELS) or (place.startswith(LOGGERS) and in_own_file(error))
    is_lightnings = is_lightnings or type(error).__name__ == "MisconfigurationException"  # a class not imported here
    return f"{message_of(error)}{in_own_file(error)}" if is_lightnings else None


def raised_in(error: BaseException) -> str:
    """The module whose code has raised an error, or ""."""
    return ["", *(frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))][-1]


def options_in(error: BaseException) -> str:
    """The file of options that Hydra or OmegaConf was reading when the error was raised; empty if there was none."""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((str(one[name]) for one in frames for name in ("full_path", "file_") if name in one), "")


def several_values(word: str) -> str:
    """The sentence for a word with several values, such as seed=1,2, in a command that trains once."""
    key, _, value = word.partition("=")
    if meant := with_points(key, value):
        return f"{word} gives several values: type {key}={meant}, or add -m to sweep over them."
    taken = policy(key).range
    is_single = taken.schema.get("type") in ("number", "integer", "boolean") if taken else key in GROUPS
    if is_single and key not in TAKE_SEVERAL:  # which take a list
        return f"{word} gives several values: add -m to sweep over them, or choose one."
    listed, quoted = as_command([f"{key}=[{value}]"]), as_command([f"{key}='{value}'"])
    return f"{word} gives several values: add -m to sweep over them, or type {listed} (a list) or {quoted}."


def nothing_to_leave_out(key: str) -> str:
    """The sentence for ~key where there is no such setting: suggests one of the same last name, or a similar one."""
    known, name = {*GROUPS, *SETTINGS} - {key}, key.rpartition(".")[2]
    same_name = {setting for setting in known if setting.rpartition(".")[2] == name}
    return f"~{key} leaves out something that does not exist.{nearest(key, same_name or known)}"


LONGEST = 10_000  # characters of a line: a file of somebody else may hold a value without an end
FULL_ERROR = os.environ.get("PROJ_FULL_ERROR", os.environ.get("HYDRA_FULL_ERROR")) == "1"


@contextmanager
def user_errors() -> Iterator[None]:
    """Raise UserError, for callers in Python, in place of any other error that the user can fix."""
    try:
        yield
    except Exception as error:
        if sentence := explain(error):
            raise UserError(sentence) from error
        raise


@contextmanager
def sentences(elsewhere: str = NEW_FOLDER) -> Iterator[None]:
    """End the command with one sentence and exit code 1 for an error that the user can fix; raise any other error.
    HYDRA_FULL_ERROR=1 raises all errors. elsewhere: see `file_fault`."""
    try:
        yield
    except Exception as error:
        if any(isinstance(link, KeyboardInterrupt) for link in causes(error)):  # Hydra turns Ctrl-C into other errors
            raise SystemExit(130) from None
        let_the_first_process_report()
        sentence = explain(error, elsewhere)
        if sentence is None or FULL_ERROR:
            raise
        # A file of somebody else may hold names that would control the terminal.
        raise SystemExit("error: " + "\n".join(one_line(line)[:LONGEST] for line in sentence.split("\n"))) from None
    except KeyboardInterrupt:  # before the training: a training saves, and says how to continue
        raise SystemExit(130) from None
