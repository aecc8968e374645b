"""Shows where in an image a network looked when it chose a class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.models.pretrained import Fit


def heat_map(network: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """(N, H, W) in 0..1: how much each position adds to the logit of a class, by HiResCAM (Draelos and Carin, arXiv
    2011.08891). It is computed on the last feature maps and enlarged to the images' size; for an MLP, which has no
    feature maps, on the pixels.

    network: in evaluation mode. It may be a whole model: its own forward hooks, which calibrate the logits, do not run.
    x: (N, C, H, W), the network's inputs. classes: (N,), the index of a class for each image.
    """
    # The dtype is that of the weights, which are bfloat16 after a training with trainer.precision=bf16-true.
    x = x.to(next(network.parameters()).dtype, copy=True).requires_grad_()
    last = [x]  # the last feature maps, or the image itself

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[2:].numel() > 1:
            last[0] = output

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        with torch.enable_grad():
            chosen = network.forward(x).gather(1, classes[:, None]).sum()
            (gradient,) = torch.autograd.grad(chosen, last[0])
    finally:
        for hook in hooks:
            hook.remove()
    fits = [module for module in network.modules() if isinstance(module, Fit)]
    added = gradient * last[0].detach()
    _, first, second, third = added.shape
    has_channels_last = first == second != third  # timm's Swin has feature maps of the shape (N, h, w, C)
    if fits and has_channels_last:
        added = added.permute(0, 3, 1, 2)
    added = added.sum(1, keepdim=True).float().relu()  # (N, 1, h, w)
    for fit in fits:
        added = fit.in_place(added)
    added = F.interpolate(added, x.shape[2:], mode="bilinear")[:, 0]
    return added / added.amax((1, 2), keepdim=True).clamp_min(torch.finfo(added.dtype).tiny)
