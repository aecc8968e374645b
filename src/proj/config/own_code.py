"""Finds the user's own Python files that a configuration uses, without importing them, and whether they changed."""

import ast
import sys
import zlib
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from proj.config.allowed_classes import targets_in
from proj.config.declared import imported_names, is_installed, modules, parsed_module

SEEN: dict[str, tuple[object, str]] = {}  # by module: its spec, and its file's checksum when `as_imported` saw it first


def own_code(config: dict) -> dict[str, str]:
    """The user's own files that define a configuration's classes, and those that they import in turn: {path: CRC-32}.

    A path is relative to the folder on sys.path in which Python finds it, such as nets/linear.py. Files of this
    project, of Python and of installed packages are not the user's own. The checksum of a module that this process has
    imported, as a notebook does, is that of the file as it was then.
    """
    found: dict[str, str] = {}
    left = [str(target) for _, target, _ in targets_in(config)]
    while left:
        for name, spec in modules(left.pop()):
            if is_installed(spec) or name == "proj" or name in sys.stdlib_module_names:
                break
            within = "" if spec.submodule_search_locations is None else "/__init__"
            path = f"{name.replace('.', '/')}{within}.py"
            if spec.origin and spec.origin.endswith(".py") and path not in found:
                found[path] = as_imported(name, f"{zlib.crc32(Path(spec.origin).read_bytes()):08x}")
                with suppress(SyntaxError, ValueError):  # the user is told when the file is imported
                    tree, package = parsed_module(name)
                    left += imported_names(ast.walk(tree), package).values()
    return found


def as_imported(name: str, now: str) -> str:
    """The checksum of a module's file when this process was first seen to have imported it; `now` if it has not, or has
    imported it anew since (importlib.reload)."""
    spec = getattr(sys.modules.get(name), "__spec__", None)  # another one after a reload
    if spec is None:
        return now
    if name not in SEEN or SEEN[name][0] is not spec:
        SEEN[name] = spec, now
    return SEEN[name][1]


def changed_code(checksums: dict[str, str], already: Container[str] = ()) -> list[str]:
    """The files that have changed since `own_code` found them, except those of the modules in `already`, which this
    process has imported."""
    return [path for path in checksums if module_name(path) not in already and code_now(path) != checksums[path]]


def changed_since(before: dict, config: dict) -> list[str]:
    """The user's own files of a configuration that are others than those that `own_code` found `before`. Files that it
    did not find then, as in older versions, do not count. before: may come from a file, so it names none to read."""
    now = own_code(config)
    return [file for file in now if file in before and not before[file] == now[file] == code_now(file)]


def module_name(path: str) -> str:
    """The module's name: nets.linear for nets/linear.py, nets for nets/__init__.py."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def code_now(path: str) -> str | None:
    """The CRC-32 that the file has now, in hexadecimal; None if it is gone."""
    file = next(filter(Path.is_file, (Path(place, path) for place in sys.path)), None)
    return file and f"{zlib.crc32(file.read_bytes()):08x}"
