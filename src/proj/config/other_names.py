"""Where a setting is that people look for under another name, or in another place."""

from omegaconf import DictConfig, OmegaConf

from proj.config.declared import arguments
from proj.config.policies import policy, with_above
from proj.config.settings import SETTINGS

# What other programs call a setting, or where people look for it.
OTHER_NAMES = {
    "learning_rate": "optimizer.lr",
    "epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "early_stopping": "callbacks=early_stopping",
    "augment": "augment=strong",
    "run": "resume",
    "ckpt": "resume",
    "n_jobs": "hydra/launcher=joblib hydra.launcher.n_jobs",
    "n_trials": "hydra/sweeper=optuna hydra.sweeper.n_trials",
}
OLD = ("dataset.kind", "model.accepts")  # of configurations that older versions wrote


def elsewhere(key: str, cfg: DictConfig) -> str:
    """The end of a message on a setting that is not there: where one of its name is, such as optimizer.lr for lr."""
    name, known = key.rpartition(".")[2], []
    if key not in SETTINGS:  # else it is in its place, and the chosen class does not take it
        known = [one for one in SETTINGS if one.endswith(f".{name}") and one not in OLD and not is_reserved(one)]
    if here := [*filter(None, (as_typed(one, cfg) for one in known))] or [*filter(None, [OTHER_NAMES.get(name)])]:
        return f" Did you mean {' or '.join(map(repr, here))}?"
    groups = dict.fromkeys("augment" if "augment" in one else one.partition(".")[0] for one in known)
    others = " or ".join(f"{group}=…" for group in groups)
    return f" With another {others} there is {' or '.join(map(repr, known))}." if known else ""


def is_reserved(key: str) -> bool:
    """Whether the program sets it itself, or what it is a part of."""
    return any(policy(above).instead for above in with_above(key))


def as_typed(key: str, cfg: DictConfig) -> str | None:
    """A setting as this configuration takes it, with a plus where it is an argument that conf/ does not list."""
    place, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, place)
    if not OmegaConf.is_dict(node):
        return None
    listed, target = name in node, node.get("_target_")
    return key if listed else f"+{key}" if target and name in (arguments(target) or ()) else None
