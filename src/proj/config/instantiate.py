"""Makes the objects that a configuration names: the class in `_target_`, called with the other values (`build`)."""

import re
import sys
from functools import partial
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf

from proj.config.allowed_classes import located, now_called
from proj.config.declared import NO_ARGUMENTS, only_arguments
from proj.config.declared import arguments as taken_by
from proj.errors import UserError, causes, in_own_file, message_of, named, nearest, out_of_memory


def build(node: DictConfig | dict | None, place: str = "", **settings: Any) -> Any:
    """Call the class that a node's `_target_` names with the node's other values and `settings`; None if it names none.

    Hydra's `instantiate` does the same, but resolves references, which a file from somebody else may contain as text.
    place: the key of the node, such as model.loss, for a message that says how to change it.
    Raises UserError for a class that cannot be found, and for any error of its own but OSError and too little memory.
    """
    if not node or not node.get("_target_"):
        return None
    called = bound(node, place, settings)
    return called if node.get("_partial_") else call(called, node, place)


def bound(node: DictConfig | dict, place: str, settings: dict) -> partial:
    """The class or function of a node that has a `_target_`, with its arguments, not called yet. See `build`."""
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True)
    target = now_called(node)
    taken = only_arguments(str(target)) if None in node.values() else None
    arguments = {key: value for key, value in node.items() if key not in NO_ARGUMENTS}
    if taken is not None:  # `_target_` may name another class than conf/ does: pass it no null that it does not take
        arguments = {key: value for key, value in arguments.items() if value is not None or key in taken}
    if node.get("_recursive_", True):
        arguments = build_within(arguments, place)
    arguments |= settings
    try:
        called = located(target)
    except Exception as error:
        refuse_missing_class(f"{place}._target_={target}" if place else target, list(causes(error))[-1])
    if (torch := sys.modules.get("torch")) and torch.get_default_dtype() == torch.float64:
        raise UserError(
            "torch.set_default_dtype(torch.float64), which a module of your own calls, changes all of this program: "
            "leave it out; trainer.precision=64-true trains in float64."
        )
    if not callable(called):
        raise UserError(f"{target} is no class.")
    return partial(called, *node.get("_args_", ()), **arguments)


def call(called: partial, node: DictConfig | dict, place: str) -> Any:
    """The object that `called`, `bound` from the node, makes. See `build`."""
    try:
        return called()
    except Exception as error:
        if isinstance(error, UserError | OSError) or out_of_memory(error):
            raise
        refuse_foreign(called, node, place, error)
        said = message_of(error) if type(error) in (TypeError, ValueError) else named(error)
        if place == "model.loss" and not isinstance(called.func, type):
            said += "; for a function that takes logits and classes, add +model.loss._partial_=true"
        raise UserError(f"{now_called(node)}: {said}{in_own_file(error)}") from error


def refuse_missing_class(target: str, error: BaseException) -> NoReturn:
    """Raises UserError for a class that cannot be imported. target: its full name, behind the setting that names it."""
    module, _, name = target.rpartition("=")[2].rpartition(".")
    known = getattr(sys.modules.get(module), "__dict__", {})
    cure = nearest(name, [key for key, value in known.items() if isinstance(value, type)])
    if isinstance(error, ModuleNotFoundError):
        cure = " It is looked for in the folder where the command is started, and among the installed packages."
    raise UserError(f"{target} cannot be imported ({message_of(error)}{in_own_file(error)}).{cure}") from error


def refuse_foreign(called: partial, node: DictConfig | dict, place: str, error: Exception) -> None:
    """Raises UserError if `error` says that the class, or one that it inherits from, does not take an argument."""
    said = re.search(r"(\w+)(\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error))
    names = [base.__name__ for base in getattr(called.func, "__mro__", [called.func])]
    if not said or said[1] not in names:
        return
    known, given = taken_by(node["_target_"]) or frozenset(), called.keywords
    if said[3] not in node:  # but this program passes it to every class in this place
        lacking = ", ".join(name for name in given if name not in (*node, *known))
        cure = f"its __init__ must take {lacking}, or **settings, as the README's example does"
        raise UserError(f"{node['_target_']} takes no {said[3]}: {cure}.") from error
    foreign = [name for name in node if known and name not in (*known, *NO_ARGUMENTS)] or [said[3]]
    typed = " ".join(f"+{place}.{name}" for name in foreign)
    cure = f": {leaving_out(place, foreign)}, or leave out {typed}" if place else ""
    guess = nearest(foreign[0], known - given.keys())
    raise UserError(f"{node['_target_']} takes no {', '.join(foreign)}{cure}.{guess}") from error


def is_no(place: str, target: str, base: str) -> str:
    """The sentence for a class that does not inherit from the class `base`, which its place in the configuration needs.
    target, base: full names."""
    as_shown = ", as the README's example does" if base.startswith("proj.") else ""
    return f"{place}._target_={target} is no {base.rpartition('.')[2]}: derive it from {base}{as_shown}."


def leaving_out(place: str, names: list[str]) -> str:
    """The cure for settings of conf/ that the class at `place` does not take."""
    return f"add {' '.join(f'~{place}.{name}' for name in names)}, which leaves out what conf/ has"


def build_a(base: type, part: str, node: DictConfig | dict, **settings: Any) -> Any:
    """`build` of the configuration's node `part`. Raises UserError if the object is not an instance of `base`; for a
    class, and for a function whose annotation tells what it returns, before it is called."""
    called = bound(node, part, settings)
    kind = called.func if isinstance(called.func, type) else getattr(called.func, "__annotations__", {}).get("return")
    fits = not isinstance(kind, type) or issubclass(kind, base) or issubclass(base, kind)
    if fits and node.get("_partial_"):
        return called
    made = call(called, node, part) if fits else None
    if not isinstance(made, base):
        raise UserError(is_no(part, node["_target_"], f"{base.__module__}.{base.__name__}"))
    return made


def build_within(value: Any, place: str) -> Any:
    """A value with every mapping in it that has a `_target_` replaced by the object that it builds. place: its key."""
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, list):
        return [build_within(one, place) for one in value]
    if isinstance(value, dict):
        if value.get("_target_"):
            return build(value, place)
        return {key: build_within(one, place and f"{place}.{key}") for key, one in value.items()}
    return value
