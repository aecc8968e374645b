"""The order of the house: who may import whom, and what must be light is light."""

import ast
import functools
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from support.processes import in_child

from proj.system.run_folder import RunFolder, SweepFolder

SOURCE = Path(__file__).parents[1] / "src" / "proj"
TESTS = Path(__file__).parent
# From the ground up. Rooms on one floor do not import each other.
FLOORS = (
    {"wording"},
    {"errors"},
    {"system"},
    {"config.settings"},
    {"config", "pictures"},
    {"data.part_names"},
    {"data.photos"},
    {"data.tables"},
    {"data"},
    {"models", "reports"},
    {"checkpoint"},
    {"training.library_defaults", "training.loggers"},
    {"training.fast", "training.robustness"},
    {"training"},
    {"use"},
    {"sweeps"},
    {"train", "evaluate", "predict", "export", "report"},
    {"sweep"},  # a command that goes on with what `train` began
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a module by its name in `FLOORS`: of a room within a room it has two parts."""
    parts = module.split(".")[1:]
    inner = ".".join(parts[:2])
    return inner if inner in FLOOR else parts[0]


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES}


@functools.cache
def nodes(file: Path) -> list[ast.AST]:
    """All nodes of what a file says in Python."""
    return list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def imported(file: Path) -> set[str]:
    """The modules of this project that a file imports, also within its functions."""
    modules = set()
    for node in nodes(file):
        assert not getattr(node, "level", 0), f"{file} names a module by its place: give its whole name"
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "proj":
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES
            modules |= inside or {node.module}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.startswith("proj.")}
    return {module for module in modules if module != "proj"}


@pytest.mark.parametrize("file", [file for file in FILES if file.parent != SOURCE or file.stem in FLOOR], ids=module_of)
def test_a_room_imports_only_from_rooms_below_it(file):
    room = room_of(module_of(file))
    for module in imported(file):
        other = room_of(module)
        assert other == room or FLOOR[other] < FLOOR[room], f"{room} imports {module}"


def test_no_file_imports_another_in_a_circle():
    modules = {module_of(file): imported(file) for file in FILES}
    graph = {module: {other for other in others if other in modules} for module, others in modules.items()}
    while ready := [module for module, others in graph.items() if not others]:
        for module in ready:
            del graph[module]
        graph = {module: others - set(ready) for module, others in graph.items()}
    assert not graph


@pytest.mark.parametrize("room", sorted({file.parent for file in FILES} - {SOURCE}), ids=lambda room: room.name)
def test_a_room_says_in_a_line_what_each_of_its_files_is_for(room):
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    listed = re.findall(r"^(\w+\.py) +\S", text, re.M)
    assert sorted(listed) == sorted(file.name for file in room.glob("*.py") if file.name != "__init__.py")


def test_a_file_that_a_docstring_or_a_comment_names_is_beside_it_or_at_that_place():
    for file in FILES:
        for name in re.findall(r"`([\w/]+\.py)`", file.read_text(encoding="utf-8")):
            places = (file.parent, SOURCE, SOURCE.parents[1])
            assert any((place / name).is_file() for place in places), f"{file} names {name}"


def test_what_must_be_light_imports_without_torch():
    rooms = [file for room in ("system", "config", "reports") for file in sorted((SOURCE / room).rglob("*.py"))]
    commands = ["train", "evaluate", "predict", "export", "report", "sweep"]
    names = ["proj", "proj.errors", "proj.data.exists", *map(module_of, rooms), *(f"proj.{name}" for name in commands)]
    code = f"import importlib, sys\nfor name in {names}:\n    importlib.import_module(name)\n"
    heavy = {"torch", "lightning", "torchvision", "torchmetrics", "matplotlib", "optuna"}
    code += f"    found = {heavy} & {{*sys.modules}}\n    assert not found, (name, found)\n"
    code += "import proj\nassert proj.configure and 'torch' not in sys.modules"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_the_configuration_needs_no_private_loader_so_that_a_new_hydra_breaks_contracts_and_not_all_tests():
    code = "import sys, proj.config.check\nassert 'proj.config.loader' not in sys.modules"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_the_names_of_the_readme_are_imported_when_they_are_asked_for():
    code = (
        "import proj\nfrom proj import configure, load_model, train\nimport proj.train, proj.checkpoint, proj.config\n"
        "assert proj.train.train is train and proj.checkpoint.load_model is load_model\n"
        "assert proj.config.configure is configure\n"
        "from proj import train as again\nassert callable(again)"
    )

    def import_anew() -> bool:
        for name in [name for name in sys.modules if name.split(".")[0] == "proj"]:
            del sys.modules[name]
        exec(code, {})
        return True

    assert in_child(import_anew)  # a fork of this process, which has torch


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: file.stem)
def test_no_file_of_the_tests_imports_a_test_file_or_the_fixtures(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name == "conftest" or name.startswith("test_")]


def file_names() -> set[str]:
    """The names of the files in the folders of runs and sweeps."""
    folders = (RunFolder("folder"), SweepFolder("folder"))
    paths = [value for folder in folders for value in vars(folder).values() if isinstance(value, Path)]
    return {path.name for path in paths if "." in path.name} | {"events.out.tfevents"}


def test_one_module_alone_spells_the_names_of_the_files_in_a_runs_folder():
    name = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, file_names()))})(?!\w)")
    spelled = {
        (module_of(file), node.value)
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if name.search(node.value) and " " not in node.value  # else a sentence
    }
    assert {module for module, _ in spelled} == {"proj.system.run_folder"}, spelled


@pytest.mark.parametrize("command", ("evaluate", "predict", "export"))
def test_a_commands_options_are_the_arguments_of_what_it_calls(command):
    file = {"evaluate": "evaluation", "predict": "prediction"}.get(command, command)
    called = getattr(importlib.import_module(f"proj.use.{file}"), command)
    options = importlib.import_module(f"proj.{command}").OPTIONS
    parameters = inspect.signature(called).parameters.values()  # those by name alone are for Python
    assert ["path", *options] == [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
    for key, kind in options.items():
        annotation = inspect.signature(called).parameters[key].annotation
        taken = (kind,) if isinstance(kind, tuple) else (kind, kind | None, Sequence[str])
        assert get_args(annotation) == kind or annotation in taken


def test_no_file_has_more_than_220_lines_and_no_function_more_than_60():
    lengths = {module_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert not {module for module, lines in lengths.items() if lines > 220}
    for file in FILES:
        for node in nodes(file):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{file}: {node.name}"


def test_the_repository_holds_nothing_at_its_top_but_what_belongs_there():
    listed = subprocess.run(["git", "ls-files"], cwd=TESTS.parent, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout")
    folders = {"benchmarks", "conf", "docs", "notebooks", "outputs", "src", "tests"}
    files = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"}
    assert {path.split("/")[0] for path in listed.stdout.split()} == folders | files | {".ci", ".gitignore"}
