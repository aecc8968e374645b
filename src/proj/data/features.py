"""The features that a frozen network computes from the examples once, cached in memory, and in files for later runs."""

import copy
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from proj.data.batches import counter_seed
from proj.system.files import remove_unfinished, whole_file
from proj.system.locks import alone
from proj.system.ranks import is_terminal, say

BATCH = 64  # the number of examples that go through the network at a time


def pick_view(features: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0) -> Tensor:
    """(B, D), the features of a batch; the `prepare` of `Batches` for features of V views of each example, (V, N, D).

    In training, a random view of each example is taken; otherwise the first one, which is not augmented.
    """
    if generator is None or len(features) == 1:
        return features[0, index]
    view = torch.randint(len(features), (len(index),), generator=generator, device=index.device)
    return features[view, index]


def features_of(
    data: Any, split: str, views: int, network: Callable[[Tensor], Tensor], name: Path | None, key: str
) -> Tensor:
    """(V, N, D), the features that `network` computes from the examples of a part, in order.

    views: V for training examples. The first view is not augmented, the others are, as in training but alike for all
        seeds. V is 1 for the other parts, and if the datamodule does not augment.
    name: the beginning of the cache files' names, or None for no files. key: identifies the network and its weights.
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
        starts = track(range(0, len(targets), BATCH), what, transient=True, disable=not is_terminal(sys.stdout))
        return torch.cat([network(batch(view, start)).float().cpu() for start in starts])

    if split != "train" or torch.equal(batch(0, 0), batch(1, 0)):
        views = 1
    examples = getattr(inputs, "numbers", inputs)  # added to the key, since all folds have the same data.checksum()
    key = f"{key} {data.checksum()} {zlib.crc32(examples.cpu().contiguous().numpy())}"
    made = []
    for view in range(views):
        file = name and name.with_name(f"{name.name}-{split}-{view}.npz")
        first = zlib.crc32(batch(view, 0).contiguous().cpu().numpy())  # changes if the inputs are made differently
        made.append(cached(file, f"{key} {first}", lambda view=view: make(view)))
    return torch.stack(made).to(targets.device)


def cached(file: Path | None, key: str, make: Callable[[], Tensor]) -> Tensor:
    """The features in a cache file. They are made, and the file is written, if it does not exist, has another key, or
    is damaged according to its checksums. Other processes wait meanwhile."""
    if file is None:
        return make()
    with alone(file.with_suffix(".lock")):
        with suppress(Exception), np.load(file) as found:  # a damaged file raises errors of many kinds
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
