"""Composes the configuration from conf/ (`configure`), and puts values in the place of its references."""

import logging
import os
import re
import threading
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from proj.config.check import check_single
from proj.config.check_words import refuse_left_out
from proj.config.declared import kind_of_data
from proj.config.explain import user_errors
from proj.config.new_folder import TAKEN, refuse_run_in_a_sweep
from proj.config.quoting import as_text
from proj.config.words import as_hydra_reads
from proj.errors import UserError
from proj.system.folders import absolute

CONF = Path(__file__).parents[1] / "conf"  # in an installed package
if not CONF.is_dir():
    CONF = Path(__file__).parents[3] / "conf"  # in a checkout
COMPOSING = threading.RLock()  # Hydra composes one configuration at a time; other threads wait
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it would log an error that it also raises


def resolved(cfg: DictConfig) -> DictConfig:
    """The configuration with all references (${…}) replaced by their values. A text that contains ${ stays a text.

    The data's folder becomes an absolute path, so that the run can go on from any working folder.
    """
    return OmegaConf.create(literal(resolved_values(cfg)), flags={"struct": True})


def resolved_values(cfg: DictConfig) -> dict[str, Any]:
    """The values of `resolved` as a plain dictionary."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    for node in (plain, plain.get("dataset")):
        if isinstance(node, dict) and node.get("data_dir") is not None:
            node["data_dir"] = absolute(str(node["data_dir"]))
    if OmegaConf.select(cfg, "choices.augment") == "none" and kind_of_data(cfg) != "image":
        for key in ("flip", "shift", "sizes", "augment"):
            plain["dataset"].pop(key, None)
    return plain


# A reference in conf/ to another setting, such as ${seed}; not to Hydra (${hydra:…}) or the environment (${oc.env:…}).
REFERENCE = re.compile(r"(?<!\\)\$\{[\w.\[\]]+\}")


def following(written: Any, meant: Any) -> Any:
    """The configuration `meant`, whose references are resolved, with those to other settings put back: such a setting
    follows a later change of the other. written: the same configuration with all references."""
    if isinstance(written, str) and REFERENCE.search(written):
        return written
    if isinstance(written, dict):
        return {key: following(written[key], value) for key, value in meant.items()}
    return literal(meant)


def literal(node: Any) -> Any:
    """Plain values with every ${ escaped, so that OmegaConf takes it as text and not as a reference. A path, which a
    script may have set, becomes a text."""
    if isinstance(node, os.PathLike):
        node = os.fspath(node)
    if isinstance(node, dict):
        return {key: literal(value) for key, value in node.items()}
    if isinstance(node, list):
        return [literal(value) for value in node]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", node) if isinstance(node, str) else node


@user_errors()
def configure(*overrides: str, config_dir: str = "") -> DictConfig:
    """Compose the configuration of a command line in Python: `train(configure("dataset=digits", "model=cnn"))`.

    config_dir: a folder of the user's own options, like --config-dir.
    A setting that refers to another one in conf/, such as `dataset.seed` to `seed`, follows a later `cfg.seed = 5`.
    Raises UserError for whatever the command line would refuse.
    """
    if other := [word for word in overrides if not isinstance(word, str)]:
        raise UserError(f"configure takes texts such as configure('dataset=iris', 'model=mlp'), not {other[0]!r}.")
    if flag := next((word for word in overrides if word.startswith("-")), ""):
        if flag.startswith(("--config-dir", "-cd")):
            raise UserError(f"in Python, {flag} is an argument of its own: configure(…, config_dir='path/to/conf').")
        raise UserError(f"{flag} works only on the command line, since configure composes one run: leave it out.")
    refuse_left_out(overrides)
    words = [as_hydra_reads(word) for word in overrides]
    if config_dir:
        config_dir = os.path.expanduser(config_dir)
        if not os.path.isdir(config_dir):
            raise UserError(f"--config-dir={config_dir}: there is no such folder.")
        words.append(f"hydra.searchpath=[{as_text(f'file://{os.path.abspath(config_dir)}')}]")
    with COMPOSING, initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        cfg = compose("train", words, return_hydra_config=True)
        check_single(cfg)
        HydraConfig.instance().set_config(cfg)
        runtime = HydraConfig.get().runtime
        with read_write(runtime), open_dict(runtime):
            runtime.output_dir = cfg.hydra.run.dir
        refuse_run_in_a_sweep(cfg.hydra.run.dir)
        with open_dict(cfg):
            cfg.pop("hydra")
        TAKEN[runtime.output_dir] = values = resolved_values(cfg)
    return OmegaConf.create(following(OmegaConf.to_container(cfg), values), flags={"struct": True})
