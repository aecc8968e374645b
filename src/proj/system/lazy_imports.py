"""Modules that torch, Lightning and torchvision import in every program and a short run never uses: imported once used.

torch's compiler and what all metrics need (scipy.signal, matplotlib, torchvision) take more than half of the start, and
torchvision's networks import that compiler for everyone who takes one of its data sets. In place of each such module
stands one that answers with the few names which the libraries ask for. Any other name, and an import of a module within
it, imports the real module, which then takes its place: a program that compiles, or that uses more of torchmetrics,
pays the time then, as does a version of a library that asks for other names.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from functools import wraps
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

ASIDE = threading.Lock()  # held while a stand-in makes room
SCANNED = ("__path__", "__warningregistry__", "__wrapped__")  # what Python and runners of tests ask of every module


class Postponed(ModuleType):
    """Stands for a module that has not been imported yet."""

    def __getattr__(self, name: str) -> Any:
        if name in SCANNED:
            raise AttributeError(name)
        return getattr(imported(self), name)

    def __dir__(self) -> list[str]:
        return dir(imported(self))


def imported(stand_in: Postponed) -> ModuleType:
    """The real module. Where several threads ask at once, Python's own locks of imports have them wait."""
    with ASIDE:
        if sys.modules.get(stand_in.__name__) is stand_in:
            del sys.modules[stand_in.__name__]
    real = import_module(stand_in.__name__)
    for name, value in list(vars(stand_in).items()):
        if sys.modules.get(f"{stand_in.__name__}.{name}") is value:  # a module within: it is not imported again
            vars(real).setdefault(name, value)
    return real


class Compiled(type):
    """`isinstance(module, OptimizedModule)` is true of what torch.compile has made: of nothing, before its import."""

    def __instancecheck__(cls, module: Any) -> bool:
        home = sys.modules.get("torch._dynamo.eval_frame")
        return home is not None and isinstance(module, home.OptimizedModule)


def stand_for_dynamo(module: Postponed) -> None:
    """torch's compiler. Each step of an optimizer asks it to break the graph that it traces: it traces none yet.

    torch and Lightning also name functions that it shall leave alone, which it does once it is imported.
    """

    def disable(function=None, *rest, **settings):
        if not isinstance(function, FunctionType):
            return imported(module).disable(function, *rest, **settings)
        real = None

        @wraps(function)
        def disabled(*args, **kwargs):
            nonlocal real
            compiler = sys.modules.get(module.__name__, module)
            if real is None and compiler is not module and hasattr(compiler, "disable"):
                real = compiler.disable(function, *rest, **settings)
            return (real or function)(*args, **kwargs)

        disabled._torchdynamo_disable, disabled._torchdynamo_orig_callable = True, function  # how the compiler tells
        return disabled

    module.disable, module.graph_break = disable, lambda msg="": None
    module.OptimizedModule = Compiled("OptimizedModule", (), {"__module__": module.__name__})
    # What each of several processes that train together asks: to forget rules, and for a mode, see below.
    module.trace_rules, module.utils = (Postponed(f"{module.__name__}.{part}") for part in ("trace_rules", "utils"))
    module.trace_rules.clear_lru_cache = lambda: None
    stand_for_utils(module.utils)


def stand_for_utils(module: Postponed) -> None:
    """What several processes ask of the compiler, and one of torchvision's operations before it is compiled."""
    module.get_optimize_ddp_mode = lambda: "ddp_optimizer"  # the usual one
    module.is_compile_supported = lambda device: imported(module).is_compile_supported(device)


def stand_for_plots(module: Postponed) -> None:
    """torchmetrics' plots, which import matplotlib: a metric names their types, and calls one function to be drawn."""

    def plot_single_or_multi_val(*values, **settings):
        return imported(module).plot_single_or_multi_val(*values, **settings)

    module.plot_single_or_multi_val = plot_single_or_multi_val
    module._AX_TYPE = module._PLOT_OUT_TYPE = object  # as where there is no matplotlib


def stand_for_torchmetrics(module: Postponed) -> None:
    """The package of all metrics, of which Lightning takes two classes. Modules within it are imported as they are."""
    module.__version__ = import_module("torchmetrics.__about__").__version__
    module._logger = logging.getLogger(module.__name__)
    import_module("torchmetrics.utilities")  # first, since it and the next import each other
    module.Metric = import_module("torchmetrics.metric").Metric
    module.MetricCollection = import_module("torchmetrics.collections").MetricCollection


STAND_INS = {
    "torch._dynamo": stand_for_dynamo,
    "torch._dynamo.utils": stand_for_utils,
    "torchmetrics": stand_for_torchmetrics,
    "torchmetrics.utilities.plot": stand_for_plots,
    "torchvision.models": lambda module: None,  # neither torchvision itself nor its data sets ask anything of these two
    "torchvision.ops": lambda module: None,
}


class Postpone:
    """A finder for `sys.meta_path`, and the loader of what it finds.

    The first import of each name gives a stand-in. Before a module within torch._dynamo is imported, the stand-in makes
    room for the real torch._dynamo. That may import the module itself, which is then taken as it is: run a second time,
    it would be another module.
    """

    def __init__(self) -> None:
        self.left = set(STAND_INS)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target=None) -> ModuleSpec | None:
        is_below = name.startswith("torch._dynamo.")
        wanted = isinstance(sys.modules.get(name.rpartition(".")[0]), Postponed) if is_below else name in self.left
        if not wanted or not (real := PathFinder.find_spec(name, path)):
            return None
        make = STAND_INS[name] if name in self.left else None
        self.left.discard(name)
        spec = ModuleSpec(name, self, origin=real.origin, loader_state=(real, make))
        spec.submodule_search_locations, spec.has_location = real.submodule_search_locations, True
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.loader_state[1]:
            return None  # Python's ordinary module
        imported(sys.modules[spec.name.rpartition(".")[0]])
        module = import_module(spec.name)
        spec.loader_state = (module.__spec__, None)
        return module

    def exec_module(self, module: ModuleType) -> None:
        name, spec = module.__name__, module.__spec__
        if spec.loader is not self:  # it has run, and torch's modules of settings did not take the spec that led here
            return
        real, make = spec.loader_state
        if not make:
            module.__spec__ = real  # it has run, and is told apart by its own spec
            return
        try:
            make(module)
            module.__class__ = Postponed
        except (ImportError, AttributeError):  # another version: all of it, at once
            for below in [other for other in sys.modules if other.startswith(f"{name}.")]:
                del sys.modules[below]
                vars(module).pop(below.removeprefix(f"{name}."), None)
            real.loader.exec_module(module)


def postpone() -> None:
    """Have the imports from now on find the stand-ins; what is imported already stays."""
    if not any(isinstance(finder, Postpone) for finder in sys.meta_path):
        sys.meta_path.insert(0, Postpone())
