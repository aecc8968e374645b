"""Reads a class's attributes and arguments from its source: importing a datamodule or a model would import torch,
which takes seconds."""

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

OF_ONE_CLASS = ("dataset", "model", "optimizer", "scheduler", "trainer")  # groups of which a run has one option
TAKE_SEVERAL = ("callbacks", "logger")  # groups of which a run may have several, each with its name
NO_ARGUMENTS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
NO_ARGUMENTS += ("kind", "accepts")  # older versions had these class attributes in the configuration
# Arguments that this program passes itself, so that they are no settings.
HANDED = ("input_shape", "num_classes", "optimizer", "scheduler", "params", "entry", "begun", "count")
UNREADABLE = (ImportError, OSError, ValueError, SyntaxError, RecursionError)


@cache
def declared(target: str, attribute: str) -> Any:
    """The value of a class's attribute, its own or inherited, if the source assigns it a literal; else None.

    target: the full name of the class, such as proj.data.IrisDataModule. A class that does not exist gives None, too,
    and is refused when it is built.
    """
    try:
        lines = (line for node in class_definitions(target) for line in node.body if assigns(line, attribute))
        return next((ast.literal_eval(line.value) for line in lines), None)
    except UNREADABLE:
        return None


def target_of(node: Any) -> str:
    """The full name of the class that a part of a configuration names; "" if it names none."""
    return str(node.get("_target_") or "") if isinstance(node, dict | DictConfig) else ""


def parts_with_a_class(cfg: DictConfig) -> dict[str, Any]:
    """The parts of a configuration that name a class each, by their keys, such as dataset, model.loss, logger.csv."""
    parts = {key: OmegaConf.select(cfg, key) for key in (*OF_ONE_CLASS, "model.loss")}
    several = {group: OmegaConf.select(cfg, group) for group in TAKE_SEVERAL}  # an older search has no `logger`
    named = {group: node for group, node in several.items() if OmegaConf.is_dict(node)}
    return parts | {f"{group}.{name}": one for group, node in named.items() for name, one in node.items()}


def kind_of_data(cfg: DictConfig) -> str | None:
    """The attribute `kind` of the dataset's class, "image" or "table"; None if it has none."""
    return declared(cfg.dataset._target_, "kind")


def accepted(model: DictConfig) -> tuple[str, ...]:
    """The attribute `accepts` of a model's class: the kinds of data that it takes; empty if it has none."""
    return declared(model._target_, "accepts") or ()


def takes(model: DictConfig, kind: str | None) -> bool:
    """Whether a model takes data of this kind; True if one of the classes does not declare it: training will tell."""
    return kind is None or not accepted(model) or kind in accepted(model)


def arguments(target: str) -> frozenset[str] | None:
    """The names of the arguments that a class takes; None if it may take others, or the source does not tell."""
    annotated, all_of_them = named_arguments(target)
    return frozenset(annotated) if all_of_them else None


@cache
def named_arguments(target: str) -> tuple[dict[str, ast.expr | None], bool]:
    """(A class's arguments with their annotations, whether these are all arguments that it takes). Where its `__init__`
    has **kwargs, the arguments of the class that it inherits from are included."""
    annotated: dict[str, ast.expr | None] = {}
    for function in constructors(target):
        annotated = annotated_arguments(function) | annotated
        if not function.args.kwarg:
            return annotated, True
    return annotated, False


def only_arguments(target: str) -> frozenset[str] | None:
    """The arguments of a class's `__init__`, its own or inherited, if it can take no others: None if it has **kwargs,
    is decorated, or is not found in the source."""
    function = next(constructors(target), None)
    if function is None or function.args.kwarg or function.decorator_list:
        return None
    return frozenset(annotated_arguments(function))


def constructors(target: str) -> Iterator[ast.FunctionDef]:
    """The `__init__` of a class, and then those of the classes that it inherits from, as far as the source is found."""
    with suppress(*UNREADABLE):
        for node in class_definitions(target):
            yield from (line for line in node.body if isinstance(line, ast.FunctionDef) and line.name == "__init__")


def is_another(target: str, base: str) -> bool:
    """Whether a class is one of torch's or Lightning's by its source, but does not inherit from the class `base`."""
    found = False
    with suppress(*UNREADABLE):
        for node in class_definitions(target):  # from the class upwards, so that most searches end soon
            if node.name == base.rpartition(".")[2]:
                return False
            found = found or node.name in ("Module", "LightningDataModule")
    return found


def annotated_arguments(method: ast.FunctionDef) -> dict[str, ast.expr | None]:
    """A method's arguments but `self`, with their annotations."""
    taken = method.args
    return {one.arg: one.annotation for one in (*taken.posonlyargs, *taken.args[1:], *taken.kwonlyargs)}


def class_definitions(target: str) -> Iterator[ast.ClassDef]:
    """The parsed source of a class and of the classes that it inherits from, in the order of inheritance."""
    module, _, name = target.rpartition(".")
    tree, _ = parsed_module(module)
    names = top_level_imports(module)
    if name in names:  # the module imports the class from the one that defines it
        yield from class_definitions(names[name])
    defined = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    if name not in names and not defined:  # torch.nn, for one, has `from .modules import *`
        for package in [key.removesuffix("*") for key in names if key.endswith(".*")]:
            yield from class_definitions(package + name)
    for node in defined:
        yield node
        for base in node.bases:
            first, dot, rest = ast.unparse(base).partition(".")
            yield from class_definitions(names.get(first, f"{module}.{first}") + dot + rest)


def assigns(line: ast.stmt, attribute: str) -> bool:
    """Whether a line of a class's body assigns a value to the attribute."""
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
    named = any(isinstance(target, ast.Name) and target.id == attribute for target in targets)
    return named and getattr(line, "value", None) is not None


def is_installed(spec: ModuleSpec) -> bool:
    """Whether a module belongs to an installed package, and is not a file of the user's own."""
    return bool({"site-packages", "dist-packages"} & {*Path(spec.origin or "").parts})


def modules(name: str) -> Iterator[tuple[str, ModuleSpec]]:
    """(Name, spec) of each package that contains a module or a class, from the outermost one, and of the module."""
    name, *parts = name.split(".")
    with suppress(ImportError, ValueError):
        spec = find_spec(name)
        while spec:
            yield name, spec
            if not parts or not spec.submodule_search_locations:
                return
            places, part = spec.submodule_search_locations, parts.pop(0)
            name = f"{name}.{part}"  # `find_spec` of the whole name would import each package on the way
            try:
                spec = PathFinder.find_spec(name, places)
            except KeyError:  # a folder without __init__.py, in a package that has not been imported
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [f"{place}/{part}" for place in places]


@cache
def parsed_module(module: str) -> tuple[ast.Module, str]:
    """(A module's parsed source, the package from which its relative imports start)."""
    spec = dict(modules(module)).get(module)
    if not spec or not spec.origin:
        raise ImportError(module)
    # From Python 3.11 on, abc and others are frozen: the interpreter holds them, and knows the file of their source.
    file = getattr(spec.loader_state, "filename", None) or spec.origin
    return ast.parse(Path(file).read_bytes()), spec.parent or ""


@cache
def top_level_imports(module: str) -> dict[str, str]:
    """`imported_names` of a module's lines, without those in its functions and classes."""
    tree, package = parsed_module(module)
    lines = list[ast.AST](tree.body)
    for line in lines:  # the list grows during the loop by the lines below an `if` or a `try`
        if not isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            children = ast.iter_child_nodes(line)
            lines += [child for child in children if isinstance(child, ast.stmt | ast.excepthandler)]
    return imported_names(lines, package)


def imported_names(nodes: Iterable[ast.AST], package: str) -> dict[str, str]:
    """The names that the import statements among `nodes` bind, each with the full name of what it stands for. package:
    where relative imports start from. `from x import *` gives "x.*"."""
    known = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            known |= {alias.asname or alias.name: f"{home}.{alias.name}" for alias in node.names if alias.name != "*"}
            known |= {f"{home}.*": f"{home}.*" for alias in node.names if alias.name == "*"}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                known |= {alias.asname: alias.name} if alias.asname else {top: top, alias.name: alias.name}
    return known
