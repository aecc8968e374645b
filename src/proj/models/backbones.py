"""The classifiers of torchvision and timm: looks them up by name, and gives their preprocessing and their weights."""

import hashlib
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from proj.errors import UserError, message_of, nearest, out_of_memory
from proj.system.files import damage

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """The preprocessing that a backbone's weights need: the image is resized by `interpolation` until its shorter side
    has `resize` pixels; its middle `crop`×`crop` pixels are cut out, and normalised with `mean` and `std` (0..1)."""

    resize: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str

    def sized(self, crop: int | None) -> "Recipe":
        """The recipe that cuts the same share of the image to `crop` pixels; None keeps the size."""
        return replace(self, crop=crop, resize=round(self.resize * crop / self.crop)) if crop else self


@dataclass(frozen=True)
class Backbone:
    """A pretrained classifier. make: (crop) -> the network with random weights. load: () -> its pretrained weights.
    at: for a message if these cannot be downloaded: what to fetch, and where to put it."""

    name: str
    recipe: Recipe
    make: Callable[[int], nn.Module]
    load: Callable[[], Weights]
    at: str

    def body(self, crop: int) -> tuple[nn.Module, int]:
        """(The network without its last layer, which computes the logits; the number of its features).

        Raises UserError if it does not end in a linear layer, or does not accept images of `crop` pixels.
        """
        try:
            network = self.make(crop)
            of_weights = {name.rpartition(".")[0] for name, _ in network.named_parameters(remove_duplicate=False)}
            place, last = [pair for pair in network.named_modules() if pair[0] in of_weights][-1]
            reason = f"it ends in {type(last).__name__}"
            if isinstance(last, nn.Linear):
                network.set_submodule(place, nn.Identity())
                with torch.no_grad():
                    shape = network.eval()(torch.zeros(1, 3, crop, crop, device=last.weight.device)).shape
                if shape == (1, last.in_features):
                    return network, last.in_features
        except Exception as error:  # a network may raise anything for images that do not fit it
            if out_of_memory(error):
                raise
            reason = message_of(error, 200)
        raise UserError(
            f"model.backbone={self.name} cannot be used: it has no single linear layer at its end that a new one could "
            f"replace, or takes no pictures of {crop}×{crop} pixels ({reason}). Choose another one, or leave "
            "model.size out."
        )

    def weights(self) -> Weights:
        """The pretrained weights. Raises UserError if they are not there and cannot be downloaded."""
        try:
            return self.load()
        except Exception as error:  # of many kinds: no network connection, a full disk, a wrong checksum
            if isinstance(error, UserError) or out_of_memory(error):
                raise
            raise UserError(
                f"the weights of model.backbone={self.name} could not be downloaded ({message_of(error, 200)}): "
                f"where there is a network, fetch {self.at}, or name a file of them with model.weights=<file>."
            ) from error


def find(name: str) -> Backbone:
    """The classifier with this name; torchvision comes before timm. Raises UserError, with the nearest name."""
    from torchvision import models  # here, since the import takes seconds, and models for tables do without

    options, more = models.list_models(module=models), " timm has more of them: pip install 'proj[timm]'"
    if name in options:
        return of_torchvision(name)
    if find_spec("timm"):
        import timm

        # `timm.create_model` would also take names of hubs and folders: these are refused.
        if name in (architectures := timm.list_models()) or name in timm.list_pretrained():
            return of_timm(name)
        options, more = [*options, *architectures], ""
    raise UserError(f"model.backbone={name} does not exist.{nearest(name, options)}{more}")


def of_torchvision(name: str) -> Backbone:
    from torchvision import models

    newest = models.get_model_weights(name).DEFAULT
    file = Path(torch.hub.get_dir(), "checkpoints", newest.url.rpartition("/")[2])
    digest = file.stem.rpartition("-")[2]

    def make(crop: int) -> nn.Module:
        arguments = {"image_size": crop} if name.startswith("vit_") else {}
        if name in ("googlenet", "inception_v3"):  # without the auxiliary outputs, which only their own training used
            arguments = {"aux_logits": False, "transform_input": True, "init_weights": True}
        device = torch.get_default_device()
        # RegNet reads its widths from tensors, which have no values on the meta device (checkpoints are checked there).
        with torch.device("cpu" if name.startswith("regnet_") else device):
            return models.get_model(name, weights=None, **arguments).to(device)

    def load() -> Weights:
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(newest.url, str(file), digest, progress=False)
        elif not hashlib.sha256(file.read_bytes()).hexdigest().startswith(digest):
            raise UserError(f"{file} is damaged: delete it, and it is downloaded again.")
        return read_weights(file)

    made = newest.transforms()
    size = made.resize_size[0], made.crop_size[0]
    recipe = Recipe(*size, tuple(made.mean), tuple(made.std), made.interpolation.value)
    return Backbone(name, recipe, make, load, f"{newest.url} and put it at {file}")


def of_timm(name: str) -> Backbone:
    import timm

    known = timm.get_pretrained_cfg(name)
    made = timm.data.resolve_data_config(pretrained_cfg=known.to_dict())
    crop, scale = made["input_size"][-1], (tuple(made["mean"]), tuple(made["std"]))
    recipe = Recipe(int(crop / made["crop_pct"]), crop, *scale, made["interpolation"].replace("random", "bicubic"))
    url = known.url or f"https://huggingface.co/{known.hf_hub_id}/resolve/main/model.safetensors"
    make = partial(timm.create_model, name)
    return Backbone(name, recipe, lambda crop: make(), lambda: make(pretrained=True).state_dict(), url)


def read_weights(file: Path) -> Weights:
    """The weights in a torch or safetensors file, of which no code is executed. Raises UserError if it has none."""
    if not file.is_file():
        raise UserError(f"model.weights={file}: there is no such file; default downloads them, null takes none.")
    try:
        if zipfile.is_zipfile(file) and (found := damage(file)):
            raise UserError(f"{file} is damaged: {found}. Fetch the file again.")
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file  # a dependency of timm

            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{file} holds other things than weights, which could run any code: not opened.") from error
    except Exception as error:  # torch.load raises many kinds
        if isinstance(error, UserError) or out_of_memory(error):
            raise
        raise UserError(f"{file} cannot be read as a file of weights ({message_of(error, 200)}).") from error
    for key in ("state_dict", "model"):  # training scripts often store the weights under one of these keys
        state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{file} holds no weights as torch.save(network.state_dict(), file) keeps them.")
    return state


def weights_of(backbone: str, weights: str) -> Weights:
    """The weights that `model.weights` names: "default" for the backbone's own, else a file. Raises UserError."""
    return find(backbone).weights() if weights == "default" else read_weights(Path(weights).expanduser())


def load_weights(network: nn.Module, state: Weights, source: str) -> None:
    """Load weights into a network without its last layer; weights of that layer and others that it lacks are skipped.

    source: where the weights come from, for messages. Raises UserError that says what does not fit.
    """
    first = next(iter(network.state_dict()))
    prefixes = [name.removesuffix(first) for name in state if f".{name}".endswith(f".{first}")]
    prefix = min(prefixes, key=len, default="")  # for example "module.", which DataParallel adds
    state = {name.removeprefix(prefix): value for name, value in state.items()}
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    misfits = [
        f"{name} is {shapes.get(name, 'missing')} and not {tuple(value.shape)}"
        for name, value in network.state_dict().items()
        if shapes.get(name) != tuple(value.shape) and not name.endswith("num_batches_tracked")
    ]
    if misfits:
        more = f" ({len(misfits) - 1} more do not fit)" if misfits[1:] else ""
        raise UserError(f"{source} is of another network than model.backbone: {misfits[0]}{more}.")
    network.load_state_dict(state, strict=False)
