"""Where a network looked in an image when it chose a class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.models.pretrained import Fit


def heat_map(network: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """(N, H, W) in 0..1: what each place of the last feature maps adds to the logit of a class (HiResCAM: Draelos and
    Carin, arXiv 2011.08891), enlarged to the images' size; of an MLP, which has no maps, what each pixel adds.

    network: or a whole model, whose own hooks, which calibrate its logits, are left out.
    x: (N, C, H, W) inputs of the network, in evaluation mode. classes: (N,), one for each image.
    """
    maps = x.to(next(network.parameters()).dtype, copy=True).requires_grad_()  # also of trainer.precision=bf16-true
    last = [maps]

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[2:].numel() > 1:
            last[0] = output

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        with torch.enable_grad():
            chosen = network.forward(maps).gather(1, classes[:, None]).sum()
            (gradient,) = torch.autograd.grad(chosen, last[0])
    finally:
        for hook in hooks:
            hook.remove()
    fits = [module for module in network.modules() if isinstance(module, Fit)]
    added = gradient * last[0].detach()
    _, first, second, third = added.shape
    has_channels_last = first == second != third  # a square of places, then the channels: timm's maps of Swin
    if fits and has_channels_last:
        added = added.permute(0, 3, 1, 2)
    added = added.sum(1, keepdim=True).float().relu()  # (N, 1, h, w)
    for fit in fits:
        added = fit.in_place(added)
    added = F.interpolate(added, x.shape[2:], mode="bilinear")[:, 0]
    return added / added.amax((1, 2), keepdim=True).clamp_min(torch.finfo(added.dtype).tiny)
