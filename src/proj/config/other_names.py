"""Where a setting is that people look for under another name, or in another place."""

from proj.config.settings import SETTINGS

# What other programs call a setting, or where people look for it.
OTHER_NAMES = {
    "learning_rate": "optimizer.lr",
    "epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "early_stopping": "callbacks=early_stopping",
    "run": "resume",
    "ckpt": "resume",
    "n_jobs": "hydra/launcher=joblib hydra.launcher.n_jobs",
    "n_trials": "hydra/sweeper=optuna hydra.sweeper.n_trials",
}


def elsewhere(key: str) -> str:
    """The end of a message on a setting that is not there: where one of its name is, such as optimizer.lr for lr."""
    name = key.rpartition(".")[2]
    found = [one for one, setting in SETTINGS.items() if one.endswith(f".{name}") and not setting.instead]
    if not found and name in OTHER_NAMES:
        found = [OTHER_NAMES[name]]
    return f" Did you mean {' or '.join(map(repr, found))}?" if found and key not in SETTINGS else ""
