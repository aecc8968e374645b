"""The user's own Python files that the classes of a configuration take, found without importing them."""

import ast
import sys
import zlib
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from proj.config.declared import imported, is_installed, modules, parsed_module
from proj.config.stored import targets_in


def own_code(config: dict) -> dict[str, str]:
    """The checksums of the files that define a configuration's classes, and of those that they import in turn, by their
    paths from where Python looks for them, such as nets/linear.py.

    Files of this project, of Python and of installed packages are not among them.
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
                found[path] = f"{zlib.crc32(Path(spec.origin).read_bytes()):08x}"
                with suppress(SyntaxError, ValueError):  # which is told of when the file is imported
                    tree, package = parsed_module(name)
                    left += imported(ast.walk(tree), package).values()
    return found


def changed_code(checksums: dict[str, str], already: Container[str] = ()) -> list[str]:
    """The files that are not as `own_code` found them, but for those of the modules that are imported `already`."""
    return [path for path in checksums if module_name(path) not in already and code_now(path) != checksums[path]]


def module_name(path: str) -> str:
    """The module that Python makes of a file: nets.linear of nets/linear.py, nets of nets/__init__.py."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def code_now(path: str) -> str | None:
    """The checksum that the file has now; None where it is gone."""
    file = next(filter(Path.is_file, (Path(place, path) for place in sys.path)), None)
    return file and f"{zlib.crc32(file.read_bytes()):08x}"
