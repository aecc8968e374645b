"""Puts off the import of modules that torch, Lightning and torchvision always import and a short run never uses.

More than half of the time that a command takes to start would go into torch's compiler and into what torchmetrics
imports for all of its metrics (scipy.signal, matplotlib, torchvision). torchvision's networks import the compiler too,
even for a program that only uses one of its data sets. Lightning's summary of a model imports Triton, and TensorBoard
imports boto3 where that is installed.

So each of these modules is replaced by a stand-in, which has the few names that the libraries use in every run. Any
other name, and the import of a submodule, imports the real module in place of the stand-in. A program that compiles a
model, or uses more of torchmetrics, takes the time then; so does a version of a library that uses other names.
"""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

REPLACING = threading.Lock()  # held while a stand-in is taken out of sys.modules
SCANNED = ("__path__", "__warningregistry__", "__wrapped__")  # what Python and pytest look up in every module


class Postponed(ModuleType):
    """The stand-in for a module that has not been imported yet."""

    def __getattr__(self, name: str) -> Any:
        if name in SCANNED:
            raise AttributeError(name)
        return getattr(imported(self), name)

    def __dir__(self) -> list[str]:
        return dir(imported(self))


def imported(stand_in: Postponed) -> ModuleType:
    """Import the real module in place of its stand-in. If several threads do so at once, Python's import lock has them
    wait for the first."""
    with REPLACING:
        if sys.modules.get(stand_in.__name__) is stand_in:
            del sys.modules[stand_in.__name__]
    real = import_module(stand_in.__name__)
    for name, value in list(vars(stand_in).items()):
        if sys.modules.get(f"{stand_in.__name__}.{name}") is value:  # a submodule that is there already: keep it
            vars(real).setdefault(name, value)
    return real


def later(module: Postponed, name: str) -> Callable[..., Any]:
    """A stand-in for a function or a class of the module's: a call imports the real module, and calls what is there."""
    return lambda *values, **settings: getattr(imported(module), name)(*values, **settings)


class Compiled(type):
    """Has `isinstance(module, OptimizedModule)` ask the compiler's class; it is False until that has been imported."""

    def __instancecheck__(cls, module: Any) -> bool:
        eval_frame = sys.modules.get("torch._dynamo.eval_frame")
        return eval_frame is not None and isinstance(module, eval_frame.OptimizedModule)


def stand_for_dynamo(module: Postponed) -> None:
    """Give the stand-in for torch's compiler the names that torch and Lightning use.

    `graph_break`, which every optimizer step calls, does nothing, since no graph is traced yet. `disable` marks
    functions that must not be compiled; once the compiler is imported, its own `disable` wraps them.
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

        disabled._torchdynamo_disable, disabled._torchdynamo_orig_callable = True, function  # the compiler reads them
        return disabled

    module.disable, module.graph_break = disable, lambda msg="": None
    module.OptimizedModule = Compiled("OptimizedModule", (), {"__module__": module.__name__})
    # Each of several processes that train together uses `trace_rules.clear_lru_cache`, and `utils` as below.
    module.trace_rules, module.utils = (Postponed(f"{module.__name__}.{part}") for part in ("trace_rules", "utils"))
    module.trace_rules.clear_lru_cache = lambda: None
    stand_for_utils(module.utils)


def stand_for_utils(module: Postponed) -> None:
    """Give the stand-in for the compiler's `utils` the names that DistributedDataParallel and torchvision use."""
    module.get_optimize_ddp_mode = lambda: "ddp_optimizer"  # torch's default
    module.is_compile_supported = later(module, "is_compile_supported")


def stand_for_plots(module: Postponed) -> None:
    """Give the stand-in for torchmetrics' plots, which import matplotlib, the names that every metric uses."""
    module.plot_single_or_multi_val = later(module, "plot_single_or_multi_val")
    module._AX_TYPE = module._PLOT_OUT_TYPE = object  # torchmetrics' own values where matplotlib is not installed


def stand_for_torchmetrics(module: Postponed) -> None:
    """Give the stand-in for torchmetrics the two classes that Lightning uses. Its submodules are the real ones."""
    module.__version__ = import_module("torchmetrics.__about__").__version__
    module._logger = logging.getLogger(module.__name__)
    import_module("torchmetrics.utilities")  # before torchmetrics.metric, since the two import each other
    module.Metric = import_module("torchmetrics.metric").Metric
    module.MetricCollection = import_module("torchmetrics.collections").MetricCollection


def stand_for_flops(module: Postponed) -> None:
    """Give the stand-in for torch's counter of operations, which imports Triton, the name that Lightning's summary of
    a model uses."""
    module.FlopCounterMode = later(module, "FlopCounterMode")


STAND_INS = {
    "torch._dynamo": stand_for_dynamo,
    "torch._dynamo.utils": stand_for_utils,
    "torchmetrics": stand_for_torchmetrics,
    "torchmetrics.utilities.plot": stand_for_plots,
    "torch.utils.flop_counter": stand_for_flops,
    "torchvision.models": lambda module: None,  # torchvision and its data sets use no name of these two
    "torchvision.ops": lambda module: None,
    "boto3": lambda module: None,  # TensorBoard uses it for folders in S3 alone
}


class Postpone:
    """A finder for `sys.meta_path` that is also the loader of what it finds: see the module's docstring.

    The first import of each name in STAND_INS gives a stand-in. Before a submodule of torch._dynamo is imported, the
    real torch._dynamo takes the stand-in's place. If that imports the submodule too, the submodule is taken as it is:
    executing it a second time would make other classes of the same names.
    """

    def __init__(self) -> None:
        self.left = set(STAND_INS)  # those whose first import is still to come

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
            return None  # Python then makes an ordinary module, which `exec_module` turns into a stand-in
        imported(sys.modules[spec.name.rpartition(".")[0]])
        module = import_module(spec.name)
        spec.loader_state = (module.__spec__, None)
        return module

    def exec_module(self, module: ModuleType) -> None:
        name, spec = module.__name__, module.__spec__
        if spec.loader is not self:  # already executed: torch's modules of settings keep the spec they were made with
            return
        real, make = spec.loader_state
        if not make:
            module.__spec__ = real  # already executed by `create_module`: give it its own spec back
            return
        try:
            make(module)
            module.__class__ = Postponed
        except (ImportError, AttributeError):  # an unknown version of the library: import all of the real module now
            for below in [other for other in sys.modules if other.startswith(f"{name}.")]:
                del sys.modules[below]
                vars(module).pop(below.removeprefix(f"{name}."), None)
            real.loader.exec_module(module)


def postpone() -> None:
    """From now on, imports find the stand-ins. Modules that were imported before stay as they are."""
    if not any(isinstance(finder, Postpone) for finder in sys.meta_path):
        sys.meta_path.insert(0, Postpone())
