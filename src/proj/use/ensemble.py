"""The models of one or several checkpoints, which classify an input together: their probabilities are averaged."""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from proj.checkpoint import file as checkpoints
from proj.data.facts import Facts
from proj.errors import UserError
from proj.models.classifier import Classifier
from proj.models.logits import check_outputs
from proj.training.calibration import prediction_set_limit
from proj.use.inputs import Example, read_images, read_tables


@torch.inference_mode()
def probabilities_of(model: Classifier, facts: Facts, x: Tensor) -> Tensor:
    """(B, C) float64 probabilities on the CPU. x: (B, H, W, C) pixels or (B, F) rows, on the model's device."""
    logits = model(facts.normalizer().to(x.device)(x) if facts.kind == "image" else x)
    check_outputs(logits, len(x), len(facts.class_names))  # a forward of the user's own may lose a batch of one
    return logits.cpu().double().softmax(1)


class Member(NamedTuple):
    """One model of an ensemble."""

    model: Classifier
    facts: Facts
    order: list[int]  # (C,), where it has each class of the first model

    def costs(self) -> Tensor:
        """(C,) float64, see `decided`, in the order of the first model's classes and with a sum of one."""
        costs = torch.ones(len(self.order)) if self.model.costs is None else self.model.costs[self.order]
        return costs.double() / costs.sum()


class Ensemble:
    """The models of checkpoints that know the same classes, on `device`.

    facts, contents: the `Facts` and the description in the first checkpoint. costs: (C,) or None, see `decided`; of
    several checkpoints that have a threshold, the mean of their costs.
    trust: see `load_model`. Raises UserError for models that cannot be combined.
    """

    def __init__(self, paths: Sequence[str | Path], trust: Sequence[str], device: torch.device) -> None:
        self.members: list[Member] = []
        self.device = device
        for path in paths:
            model, contents = checkpoints.load_model(path, trust)
            facts = Facts.from_dict(contents)
            if not self.members:
                self.facts, self.contents, self.costs = facts, contents, model.costs
            self.refuse_other(facts, path, paths[0])
            order = [facts.class_names.index(name) for name in self.facts.class_names]
            self.members.append(Member(model.to(device), facts, order))
        if self.has_several and any(member.model.costs is not None for member in self.members):
            self.costs = torch.stack([member.costs() for member in self.members]).mean(0)

    @property
    def has_several(self) -> bool:
        return len(self.members) > 1

    def refuse_other(self, facts: Facts, path: str | Path, first: str | Path) -> None:
        """Raises UserError if a model with these facts, from the checkpoint `path`, has other classes or inputs than
        the first one."""
        if sorted(facts.class_names) != sorted(self.facts.class_names):
            raise UserError(f"{path} knows other classes than {first}: name checkpoints that know the same.")
        inputs = [
            (one.input_shape, one.drawings, one.levels) if one.kind == "image" else one.kind
            for one in (facts, self.facts)
        ]
        if inputs[0] != inputs[1]:
            raise UserError(f"{path} takes other inputs than {first}: name checkpoints of one kind of data and size.")

    def set_limit(self, coverage: float) -> float:
        """See `prediction_set_limit`. Raises UserError for several models, whose mean has no scores."""
        if self.has_several:
            raise UserError("coverage=… needs the scores of one checkpoint, and several are named: leave it out.")
        return prediction_set_limit(self.contents, coverage)

    def read(self, files: list[str], images: dict, tables: dict, skipped: list[str]) -> Iterator[tuple[Example, ...]]:
        """Yield the inputs in the files, each as one example for each model. A file that cannot be used is added to
        `skipped`; several models raise UserError for a table instead, so that all of them have the same rows.
        images, tables: further arguments of `read_images` and `read_tables`."""
        if self.facts.kind == "image":
            for example in read_images(files, self.facts, skipped=skipped, **images):
                yield (example,) * len(self.members)
            return
        if self.has_several and "-" in files:
            raise UserError("input=- can be read only once, and each checkpoint reads a table anew: give a file.")
        for one in self.members:
            one.facts.refuse_other_inputs()
        left_out = None if self.has_several else skipped
        of_models = [read_tables(files, one.facts.columns, skipped=left_out, **tables) for one in self.members]
        yield from zip(of_models[0], *map(without_remarks, of_models[1:]), strict=True)

    def probabilities(self, batch: list[tuple[Example, ...]]) -> Tensor:
        """(B, C) float64, on the CPU: the mean of the models' probabilities, in the first one's order of classes."""
        found = []
        for member, examples in zip(self.members, zip(*batch, strict=True), strict=True):
            x = torch.stack([example.x for example in examples]).to(self.device)
            found.append(probabilities_of(member.model, member.facts, x)[:, member.order])
        return torch.stack(found).mean(0) if self.has_several else found[0]


def without_remarks(examples: Iterator[Example]) -> Iterator[Example]:
    """The same examples, without what reading them prints about the file, which the first model's reading has said."""
    while True:
        with redirect_stderr(io.StringIO()):
            example = next(examples, None)
        if example is None:
            return
        yield example
