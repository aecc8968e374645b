"""The configuration: where it lies, how it is composed, and what is built from it."""

from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from proj.check import check, check_ranges
from proj.errors import UserError, chain
from proj.processes import agree
from proj.slurm import slurm_name

CONF = Path(__file__).parent / "conf"  # in the wheel
if not CONF.is_dir():
    CONF = Path(__file__).parents[2] / "conf"  # in a checkout


def new_folder(parent: str, name: str | None = None) -> str:
    """Make a folder named by the time; two runs of the same instant get two, since only one can make each.

    With a name, or in a job of Slurm's, a folder of that name, which may be there.
    """
    if name := name or slurm_name():
        return str(Path(parent, name))

    def make() -> str:
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
        Path(parent).mkdir(parents=True, exist_ok=True)
        for attempt in count(1):
            folder = Path(parent, name if attempt == 1 else f"{name}-{attempt}")
            with suppress(FileExistsError):
                folder.mkdir()
                return str(folder)

    return agree(make)


OmegaConf.register_new_resolver("new_folder", new_folder, use_cache=True, replace=True)


def build(node: DictConfig | None, **settings):
    """`instantiate` with `settings`, less what only the checks read; None for an empty node.

    Raises UserError for unfit arguments.
    """
    if not node or not node.get("_target_"):
        return None
    settings = {**{key: value for key, value in node.items() if key not in ("kind", "accepts")}, **settings}
    try:
        return instantiate(settings, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if str(error).startswith("Error locating target"):
            first = list(chain(error))[-1]
            raise UserError(f"{str(error).split(chr(10))[0].split(', set env')[0]} ({first}).") from error
        if type(cause).__name__ in ("TypeError", "ValueError", "MisconfigurationException"):
            raise UserError(f"{node['_target_']}: {cause}") from error
        raise


def configure(*overrides: str) -> DictConfig:
    """What a command line composes, checked and resolved, for notebooks: `train(configure("dataset=digits"))`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", list(overrides), return_hydra_config=True)
        check(cfg)
    HydraConfig.instance().set_config(cfg)
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        cfg.hydra.runtime.output_dir = cfg.hydra.run.dir
    HydraConfig.instance().set_config(cfg)
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    OmegaConf.resolve(cfg)
    return cfg


def follow(cfg: DictConfig, before: dict) -> None:
    """Give a changed setting of the top, such as data_dir, also to the copies below that had its value.

    What conf/ refers to as ${data_dir} has been looked up in a stored configuration.
    """

    def change(node: dict, place: str) -> None:
        for name, value in node.items():
            if isinstance(value, dict):
                change(value, f"{place}{name}.")
            elif place and name in changed and value == before[name] == OmegaConf.select(cfg, place + name):
                OmegaConf.update(cfg, place + name, cfg[name])

    changed = {name for name, value in before.items() if not isinstance(value, dict) and cfg[name] != value}
    change(before, "")


def stored_config(folder: Path, overrides: list[str]) -> DictConfig:
    """The configuration that a run wrote into its folder, with `key=value` changes.

    Raises UserError for a folder without one or a value out of range, OmegaConf's error for an unknown key.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file: give the folder of its run, resume={folder.parent}")
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is not the folder of a run: it has no config.yaml. Give resume=<folder of a run>.")
    cfg = OmegaConf.load(folder / "config.yaml")
    OmegaConf.set_struct(cfg, True)
    for word in overrides:
        if OmegaConf.is_dict(OmegaConf.select(cfg, word.split("=")[0])):
            raise UserError(
                f"{word} chooses anew; what goes on takes single settings, such as trainer.accelerator=cpu."
            )
    before = OmegaConf.to_container(cfg)
    cfg.merge_with_dotlist(overrides)
    follow(cfg, before)
    cfg.output_dir = str(folder)
    check_ranges(cfg)
    return cfg
