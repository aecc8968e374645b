"""What a frozen network makes of the examples, once: kept in memory, and in files that the next run finds."""

import copy
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from proj.data.batches import counter_seed
from proj.system.files import remove_unfinished, whole_file
from proj.system.locks import alone
from proj.system.ranks import say

BATCH = 64  # examples that go through the network at a time


def pick_view(features: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0) -> Tensor:
    """(B, D) features of a batch, from those of all views, (V, N, D), as `Batches` asks for inputs.

    In training each example's are of a view that is drawn, else of the first one, the example as it is.
    """
    if generator is None or len(features) == 1:
        return features[0, index]
    view = torch.randint(len(features), (len(index),), generator=generator, device=index.device)
    return features[view, index]


def features_of(
    data: Any, split: str, views: int, network: Callable[[Tensor], Tensor], name: Path | None, key: str
) -> Tensor:
    """(V, N, D) what `network` makes of the examples of a part, in order.

    views: of a training example, the first as it is, the others augmented as in training, the same ones for all seeds;
        there is one alone of others, and where the data augments nothing.
    name: the beginning of the files' names, None for no files. key: all that the network depends on.
    """
    inputs, targets = data.splits[split]
    augmented = copy.copy(data)
    augmented.seed = 0

    def batch(view: int, start: int) -> Tensor:
        index = torch.arange(start, min(start + BATCH, len(targets)), device=targets.device)
        if not view:
            return data.prepare(inputs, index, None)
        draws = torch.Generator(targets.device).manual_seed(counter_seed(view, start))
        return augmented.prepare(inputs, index, draws, view)

    def make(view: int) -> Tensor:
        what = f"features of {split}, view {view + 1} of {views}"
        starts = track(range(0, len(targets), BATCH), what, transient=True, disable=not sys.stdout.isatty())
        return torch.cat([network(batch(view, start)).float().cpu() for start in starts])

    if split != "train" or torch.equal(batch(0, 0), batch(1, 0)):
        views = 1
    examples = getattr(inputs, "numbers", inputs)  # of the part: the checksum of the data is the same for all folds
    key = f"{key} {data.checksum()} {zlib.crc32(examples.cpu().contiguous().numpy())}"
    made = []
    for view in range(views):
        file = name and name.with_name(f"{name.name}-{split}-{view}.npz")
        first = zlib.crc32(batch(view, 0).contiguous().cpu().numpy())  # it tells how the inputs are made
        made.append(cached(file, f"{key} {first}", lambda view=view: make(view)))
    return torch.stack(made).to(targets.device)


def cached(file: Path | None, key: str, make: Callable[[], Tensor]) -> Tensor:
    """What a file keeps under this key; it is made where the file is not there, has another key, or is damaged, which
    its checksums tell. A process that comes meanwhile waits."""
    if file is None:
        return make()
    with alone(file.with_suffix(".lock")):
        with suppress(OSError, EOFError, ValueError, KeyError, BadZipFile), np.load(file) as found:
            if found["key"] == key:
                return torch.from_numpy(found["features"])
        made = make()
        try:
            remove_unfinished(file.parent, file.name)
            with whole_file(file) as opened:
                np.savez(opened, key=key, features=made.numpy())
        except OSError as error:
            say(f"{file}, {made.nbytes / 1e6:,.0f} MB of features, could not be kept ({error.strerror}).")
        return made
