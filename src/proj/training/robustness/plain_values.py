"""Converts values to plain ones that a checkpoint can hold, and back to the classes that they had."""

import functools
import logging
import random
import re
import types
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from enum import Enum
from pathlib import PurePath
from types import NoneType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SCALARS = (NoneType, bool, int, float, str)
COLLECTIONS = {deque: list, defaultdict: dict, Counter: dict}  # and the plain ones that hold the same
# For each class of random generators: functions that make one, return its state, and set its state.
OF_GENERATORS: dict[type, tuple[Callable, Callable, Callable]] = {
    torch.Generator: (torch.Generator, torch.Generator.get_state, torch.Generator.set_state),
    np.random.Generator: (
        np.random.default_rng,
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
    ),
    random.Random: (random.Random, random.Random.getstate, random.Random.setstate),
}
GENERATORS = tuple(OF_GENERATORS)
STATE, OBJECT = "state of a generator", "attributes of an object"
MADE_AT_RUN_TIME = 1 << 9  # Py_TPFLAGS_HEAPTYPE of Python's C API: the flag of classes made by a `class` statement
# Kinds of values that no training changes, so they do not matter although no checkpoint can hold them.
CONSTANTS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, type)
CONSTANTS += (types.ModuleType, torch.device, torch.dtype, PurePath, Enum, re.Pattern, logging.Logger, range)


class NotPlain(Exception):
    """Raised for a value that a checkpoint cannot hold; `value` is the part of it that is to blame."""

    def __init__(self, value: object) -> None:
        self.value = value


def plain_copy(value: Any) -> Any:
    """A copy of plain values and tensors. Raises NotPlain for anything else."""
    kind = type(value)
    if kind in (*SCALARS, complex, bytes):
        return value
    if isinstance(value, np.generic) and type(value.item()) in SCALARS:
        return value.item()
    if kind is Tensor and value.device.type == "cpu":  # its device is not saved
        return value.detach().clone()
    if kind in (list, tuple, set):
        return kind(plain_copy(item) for item in value)
    if kind is dict:
        return {plain_copy(key): plain_copy(item) for key, item in value.items()}
    raise NotPlain(value)


def plain_attribute(value: Any, known: frozenset[int] = frozenset()) -> Any:
    """`plain_copy`, which also converts a deque, a defaultdict or Counter, an array, a random generator, and an object
    with such attributes. `put` restores the original class.

    known: the ids of objects that are saved elsewhere; attributes that refer to them are left out.
    """
    if type(value) in COLLECTIONS:
        return plain_copy(COLLECTIONS[type(value)](value))
    if type(value) in GENERATORS:
        _, state_of, _ = OF_GENERATORS[type(value)]
        return {"kind": GENERATORS.index(type(value)), STATE: plain_copy(state_of(value))}
    if type(value) is np.ndarray:
        try:
            return torch.from_numpy(value.copy())
        except TypeError:  # it holds text, or objects
            raise NotPlain(value) from None
    if not is_of_python(value):
        return plain_copy(value)
    known |= {id(value)}
    parts = {name: part for name, part in vars(value).items() if not (id(part) in known or isinstance(part, CONSTANTS))}
    return {OBJECT: {name: plain_attribute(part, known) for name, part in parts.items()}}


def is_of_python(value: Any) -> bool:
    """Whether a value, no nn.Module, has only classes written in Python, so that its whole state is in its `__dict__`.
    (A subclass of list, for example, has more state.)"""
    in_python = all(kind is object or kind.__flags__ & MADE_AT_RUN_TIME for kind in type(value).__mro__)
    return in_python and hasattr(value, "__dict__") and not isinstance(value, (nn.Module, *CONSTANTS))


def put(holder: Any, name: str, value: Any) -> None:
    """Set an attribute from what `plain_attribute` has made of it, converted to the class of its present value.

    A method or another of CONSTANTS is never overwritten. Raises LookupError if there is no object to set yet.
    """
    old = getattr(holder, name, None)
    if isinstance(old, CONSTANTS):
        return
    if isinstance(value, dict) and STATE in value:
        kind = GENERATORS[value["kind"]]
        make, _, set_state = OF_GENERATORS[kind]
        generator = old if type(old) is kind else make()
        set_state(generator, value[STATE])
        setattr(holder, name, generator)
    elif isinstance(value, dict) and OBJECT in value:
        if not is_of_python(old):
            raise LookupError(name)
        for part, part_value in value[OBJECT].items():
            put(old, part, part_value)
    elif type(old) in COLLECTIONS:
        old.clear()
        (old.extend if type(old) is deque else old.update)(value)
    elif type(old) is np.ndarray:
        setattr(holder, name, value.numpy())
    elif isinstance(old, np.generic) and value is not None:
        setattr(holder, name, type(old)(value))
    elif isinstance(old, Tensor) and isinstance(value, Tensor):
        setattr(holder, name, value.to(old.device))
    else:
        setattr(holder, name, value)


def equal(a: Any, b: Any) -> bool:
    """Whether two values from `plain_copy` are equal; here NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)
