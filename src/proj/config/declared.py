"""What a class says of itself, read from its source: to import a datamodule or a model takes torch and seconds."""

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

NO_ARGUMENTS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
# Older versions kept in the configuration what the classes of datamodules and models say themselves.
NO_ARGUMENTS += ("kind", "accepts")
# Arguments that the program gives.
HANDED = ("input_shape", "num_classes", "optimizer", "scheduler", "params", "entry", "begun", "count")
UNREADABLE = (ImportError, OSError, ValueError, SyntaxError, RecursionError)


@cache
def declared(target: str, attribute: str) -> Any:
    """The plain value of a class's attribute, its own or the nearest one that it inherits.

    target: the full name of the class, such as proj.data.IrisDataModule.
    None where the source does not tell; a class that is not there at all is refused where it is built.
    """
    try:
        lines = (line for node in classes(target) for line in node.body if sets(line, attribute))
        return next((ast.literal_eval(line.value) for line in lines), None)
    except UNREADABLE:
        return None


def kind_of_data(cfg: DictConfig) -> str | None:
    """What the dataset's class says that its examples are, image or table; None where it does not say it."""
    return declared(cfg.dataset._target_, "kind")


def accepted(model: DictConfig) -> tuple[str, ...]:
    """The kinds of data that a model's class says it takes."""
    return declared(model._target_, "accepts") or ()


def takes(model: DictConfig, kind: str | None) -> bool:
    """Whether a model can be trained on data of a kind; where one of them does not say it, that is found out later."""
    return kind is None or not accepted(model) or kind in accepted(model)


def arguments(target: str) -> frozenset[str] | None:
    """The names of the arguments that a class takes; None where they may have any name, or the source does not tell."""
    annotated, all_of_them = named_arguments(target)
    return frozenset(annotated) if all_of_them else None


@cache
def named_arguments(target: str) -> tuple[dict[str, ast.expr | None], bool]:
    """(The annotations of the arguments of a class, by their names, and where it hands others on, of those that it
    inherits from; whether it takes no others)."""
    annotated: dict[str, ast.expr | None] = {}
    with suppress(*UNREADABLE):
        for line in (line for node in classes(target) for line in node.body):
            if isinstance(line, ast.FunctionDef) and line.name == "__init__":
                taken = line.args
                for one in (*taken.posonlyargs, *taken.args[1:], *taken.kwonlyargs):
                    annotated.setdefault(one.arg, one.annotation)
                if not taken.kwarg:
                    return annotated, True
    return annotated, False


def only_arguments(target: str) -> frozenset[str] | None:
    """The names of the arguments that a class takes by an `__init__` that lists them all, its own or the nearest one
    that it inherits; None where that takes others too, is decorated, or is not found in the source."""
    with suppress(*UNREADABLE):
        for line in (line for node in classes(target) for line in node.body):
            if isinstance(line, ast.FunctionDef) and line.name == "__init__":
                taken = line.args
                names = (one.arg for one in (*taken.posonlyargs, *taken.args[1:], *taken.kwonlyargs))
                return None if taken.kwarg or line.decorator_list else frozenset(names)
    return None


def classes(target: str) -> Iterator[ast.ClassDef]:
    """The source of a class, and of those that it inherits from, the nearest first."""
    module, _, name = target.rpartition(".")
    tree, _ = parsed_module(module)
    names = imported_at_import(module)
    if name in names:  # from the module that defines it
        yield from classes(names[name])
    defined = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    if name not in names and not defined:  # torch.nn takes its classes over with a star
        for home in [one.removesuffix("*") for one in names if one.endswith(".*")]:
            yield from classes(home + name)
    for node in defined:
        yield node
        for base in node.bases:
            first, dot, rest = ast.unparse(base).partition(".")
            yield from classes(names.get(first, f"{module}.{first}") + dot + rest)


def sets(line: ast.stmt, attribute: str) -> bool:
    """Whether a line of a class's body gives the attribute a value."""
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
    named = any(isinstance(target, ast.Name) and target.id == attribute for target in targets)
    return named and getattr(line, "value", None) is not None


def is_installed(spec: ModuleSpec) -> bool:
    """Whether a module is of an installed package, and no file of the user's own."""
    return bool({"site-packages", "dist-packages"} & {*Path(spec.origin or "").parts})


def modules(name: str) -> Iterator[tuple[str, ModuleSpec]]:
    """The packages that a module or a class lies in, from the outermost one, and the module itself."""
    name, *parts = name.split(".")
    with suppress(ImportError, ValueError):
        spec = find_spec(name)
        while spec:
            yield name, spec
            if not parts or not spec.submodule_search_locations:
                return
            places, part = spec.submodule_search_locations, parts.pop(0)
            name = f"{name}.{part}"  # `find_spec` of the whole name would import the packages on the way
            try:
                spec = PathFinder.find_spec(name, places)
            except KeyError:  # a folder without __init__.py asks the imported one above it where it lies
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [f"{place}/{part}" for place in places]


@cache
def parsed_module(module: str) -> tuple[ast.Module, str]:
    """(A module's source, the package that its relative imports start from)."""
    spec = dict(modules(module)).get(module)
    if not spec or not spec.origin:
        raise ImportError(module)
    return ast.parse(Path(spec.origin).read_bytes()), spec.parent or ""


@cache
def imported_at_import(module: str) -> dict[str, str]:
    """As `imported`, of a module's own lines, without those within its functions and classes."""
    tree, package = parsed_module(module)
    lines = list[ast.AST](tree.body)
    for line in lines:  # which grows by what stands below an `if` or a `try`
        if not isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines += [one for one in ast.iter_child_nodes(line) if isinstance(one, ast.stmt | ast.excepthandler)]
    return imported(lines, package)


def imported(nodes: Iterable[ast.AST], package: str) -> dict[str, str]:
    """The names that lines of a module import, each with its full name. package: where relative imports start from."""
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
