"""What the user probably meant by an option that does not exist: mnist for dataset=minst, or a dataset of one's own."""

import os
import re
from pathlib import Path

from hydra.errors import MissingConfigException

from proj.config.words import group_and_option
from proj.errors import nearest
from proj.system.shell import as_command

# How the names of torchvision's classifiers begin, and of many of timm's.
BACKBONE = re.compile(
    "(wide_)?res(net|next)|alexnet|convnext|densenet|efficientnet|googlenet|inception|maxvit|mnasnet|mobilenet|regnet|"
    "shufflenet|squeezenet|swin|vgg|vit"
)

LIKE = {"cifar100": "cifar10", "kmnist": "mnist"}  # torchvision's other datasets, and the option that can read them


def missing_option(error: MissingConfigException) -> str | None:
    """The sentence for an option that does not exist, such as dataset=minst; None if no option is missing."""
    if not error.missing_cfg_file:
        return None
    group, option = group_and_option(error.missing_cfg_file)
    if group == "dataset" and os.path.exists(option):
        kind = "image_folder" if os.path.isdir(option) else "csv"
        cure = as_command([f"dataset={kind}", f"data_dir={option}"])
        return f"dataset={option} names no kind of data: give {cure}"
    if group == "model" and BACKBONE.match(option):
        return f"model={option} does not exist: give model=pretrained model.backbone={option}"
    if group == "dataset" and (known := LIKE.get(option.lower())):
        source = f"dataset={known} dataset.source._target_=torchvision.datasets.{option.upper()}"
        return f"dataset={option} does not exist: give {source}"
    if (own := Path("conf", group, f"{option}.yaml")).is_file():
        where = f"{own.as_posix()}, a folder that is only read with --config-dir=conf"
        return f"{group}={option} is in {where}: add that (in Python, configure(…, config_dir='conf'))."
    folders = re.findall(r"path=file://(.*)", str(error))  # for one in a list, logger=[csv,foo], Hydra lists no options
    files = sorted(file.stem for folder in folders for file in Path(folder, group).glob("*.yaml"))
    options = error.options or files
    return f"{group or '--config-name'}={option} does not exist." + nearest(option, options) if options else None
