"""The public surface says its types; `mypy` reads `typed_use.py`, which uses it."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "proj"
SURFACE = [*SOURCE.glob("*.py"), *SOURCE.glob("data/*.py"), *SOURCE.glob("models/*.py")]
SURFACE += map(SOURCE.joinpath, ("config/compose.py", "config/stored_run.py", "training/run.py", "checkpoint/file.py"))


def without_types(function: ast.FunctionDef) -> list[str]:
    """The arguments of a function that have no type, and "return"."""
    takes = function.args
    arguments = [*takes.posonlyargs, *takes.args, *takes.kwonlyargs, *filter(None, [takes.vararg, takes.kwarg])]
    left = [one.arg for one in arguments if one.annotation is None and one.arg not in ("self", "cls")]
    return left if function.returns else [*left, "return"]


@pytest.mark.parametrize("file", SURFACE, ids=lambda file: str(file.relative_to(SOURCE)))
def test_public_functions_and_methods_say_their_types(file):
    body = ast.parse(file.read_text(encoding="utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    functions = [node for part in (body, *(one.body for one in classes)) for node in part]
    functions = [node for node in functions if isinstance(node, ast.FunctionDef)]
    public = [node for node in functions if node.name in ("__init__", "__call__") or not node.name.startswith("_")]
    left = {node.name: without_types(node) for node in public if without_types(node)}
    assert not left


def test_the_package_says_that_it_is_typed():
    assert (SOURCE / "py.typed").is_file()
