"""A network that was pretrained on a million photos, with a new last layer."""

import math
import zlib
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.data.datamodule import InMemoryDataModule
from proj.data.features import features_of
from proj.errors import UserError, choose
from proj.models.backbones import Recipe, find, load_weights, weights_of
from proj.models.classifier import Classifier
from proj.system.ranks import say

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Fit(nn.Module):
    """(B, 1 or 3, H, W) images, normalised by the data -> (B, 3, crop, crop), preprocessed by the backbone's recipe."""

    def __init__(self, input_shape: tuple[int, int, int], recipe: Recipe) -> None:
        super().__init__()
        channels, *size = input_shape
        if channels not in (1, 3):
            raise UserError(f"model=pretrained takes pictures of 1 or 3 channels, and the data has {channels}.")
        self.recipe = recipe
        self.size = [side * recipe.resize // min(size) for side in size]
        self.corner = [round((side - recipe.crop) / 2) for side in self.size]
        self.resizes, self.shrinks = size != self.size, min(size) > recipe.resize
        self.register_buffer("factor", torch.ones(3, 1, 1))
        self.register_buffer("offset", torch.zeros(3, 1, 1))

    def set_normalization(self, mean: list[float], std: list[float]) -> None:
        """Replace the data's normalisation, with this mean and std for each channel, by the recipe's."""
        mean, std, own = torch.tensor(mean), torch.tensor(std), torch.tensor(self.recipe.std)
        self.factor.copy_((std / own).view(3, 1, 1))
        self.offset.copy_(((mean - torch.tensor(self.recipe.mean)) / own).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.resizes:
            # In float32, since processors cannot resize with bfloat16.
            resized = F.interpolate(x.float(), self.size, mode=self.recipe.interpolation, antialias=self.shrinks)
            x = resized.to(x.dtype)
        (top, left), crop = self.corner, self.recipe.crop
        return x[:, :, top : top + crop, left : left + crop] * self.factor + self.offset  # grey becomes 3 channels

    def in_place(self, seen: Tensor) -> Tensor:
        """Pad maps of what the backbone sees, `seen` (N, 1, h, w), with zeros to maps of the whole resized images,
        (N, 1, height, width)."""
        (top, left), (height, width), crop = self.corner, self.size, self.recipe.crop
        seen = F.interpolate(seen, (crop, crop), mode="bilinear")
        return F.pad(seen, (left, width - left - crop, top, height - top - crop))


class Pretrained(Classifier):
    """A pretrained classifier of torchvision or timm (transfer learning): its last layer is replaced by a new one.

    (B, C, H, W) normalised images -> (B, num_classes) logits; it also takes features (B, D), the last layer's inputs.
    backbone: the classifier's name. weights: "default" for its own, which are downloaded; a file; or None for none.
    train: "head" trains only the last layer, on the features of `views` versions of each image, all but the first
        augmented, which are computed once and kept in `cache_dir`. "all" trains the whole network: each quarter of the
        backbone has `layer_decay` times the rate of the quarter above it, and batch norms keep their statistics.
    size: the side length of the images that the backbone gets; None takes that of its pretraining.
    Raises UserError for a backbone that does not exist, does not end in a linear layer, or does not accept the size.
    """

    accepts = ("image",)

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        num_classes: int,
        backbone: str = "mobilenet_v3_large",
        weights: str | None = "default",
        train: str = "head",
        views: int = 4,
        layer_decay: float = 0.3,
        size: int | None = None,
        cache_dir: str | None = None,
        **training: Any,
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])
        source = find(backbone)
        recipe = source.recipe.sized(size)
        body, width = source.body(recipe.crop)
        self.frozen = choose("model.train", train, {"head": True, "all": False})
        self.network = nn.Sequential(Fit(input_shape, recipe), body, nn.Linear(width, num_classes))
        body.requires_grad_(not self.frozen)
        self.to(memory_format=torch.channels_last)
        self.features: dict[str, Tensor] = {}
        self.train()

    def train(self, mode: bool = True) -> "Pretrained":
        super().train(mode)
        body = self.network[1]
        if self.frozen:
            body.eval()
        elif self.hparams.weights:  # the statistics of a million photos are better than those of small batches
            for part in body.modules():
                if isinstance(part, NORMS):
                    part.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.network[-1](x) if x.ndim == 2 else self.network(x)

    def begin(self, data: InMemoryDataModule) -> None:
        fit, body, _ = self.network
        if data.mean:
            fit.set_normalization(data.mean, data.std)
        if max(fit.size) > 2 * fit.recipe.crop:
            say("model=pretrained sees only the middle, less than half, of these images: pad them, or use model=cnn")
        if weights := self.hparams.weights:
            load_weights(body, weights_of(self.hparams.backbone, weights), f"model.weights={weights}")
        elif self.frozen:
            say("model.weights=null: the frozen network is random; model.train=all trains it")

    def setup(self, stage: str) -> None:
        data, crop = self.trainer.datamodule, self.network[0].recipe.crop
        data.evaluation_batch_size = min(data.evaluation_batch_size, max(1, 2**22 // crop**2))  # it limits the memory
        if stage == "fit" and self.frozen and not self.trainer.fast_dev_run:
            data.encode = self.encode  # only set here, since a checkpoint's weights may be restored after `setup`
            data.mix = None  # features are not mixed, and the dashboard shall not show mixed images either

    def encode(self, split: str) -> Tensor | None:
        """(V, N, D), the features of a part, see `features_of`; None if the images themselves are needed."""
        if split == "test" and self.tta:
            return None
        if split not in self.features:
            self.features[split] = self._features_of(split)
        return self.features[split]

    def _features_of(self, split: str) -> Tensor:
        data, plugin, frozen = self.trainer.datamodule, self.trainer.precision_plugin, self.network[:2]

        @torch.no_grad()
        def network(x: Tensor) -> Tensor:
            with plugin.forward_context():
                return frozen(plugin.convert_input(x))

        weights = torch.cat([value.flatten().float() for value in frozen.state_dict().values()])
        key = f"{zlib.crc32(weights.cpu().numpy())} {frozen[0].recipe} {plugin.precision}"
        source = zlib.crc32(repr((type(data).__name__, getattr(data, "data_dir", ""), data.fold)).encode())
        folder, name = self.hparams.cache_dir, f"{self.hparams.backbone}-{source:08x}"
        return features_of(data, split, self.hparams.views, network, folder and Path(folder).expanduser() / name, key)

    def trained(self) -> list:
        """Parameter groups with rates that decay from the last layer, at the optimizer's rate, down to the first."""
        everything = super().trained()
        rate = self.optimizer.keywords.get("lr")
        if self.frozen or not rate or not self.optimizer.func.__module__.startswith("torch."):
            return everything
        body, head = everything[:-2][::-1], everything[-2:]
        quarter = math.ceil(len(body) / 4)
        groups = [{"params": head, "lr": rate}]
        for depth, start in enumerate(range(0, len(body), quarter), 1):
            groups.append({"params": body[start : start + quarter], "lr": rate * self.hparams.layer_decay**depth})
        return groups
