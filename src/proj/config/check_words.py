"""Refuses words of a command line that would change nothing, or that contradict other words."""

import re
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from proj.config.declared import HANDED, arguments, declared, kind_of_data, target_of
from proj.config.settings.table import SETTINGS, policy, refusal, with_above
from proj.config.unknown_setting import OLD, elsewhere, similar
from proj.config.words import GROUPS, key_of
from proj.errors import UserError, nearest

TOPS = {key.partition(".")[0] for key in SETTINGS}  # the settings and groups of the top level
# Groups that ~ cannot leave out, and what the user types instead.
NEEDED = {key: f"every run has one, and {key}=… names another" for key in ("dataset", "model", "optimizer", "trainer")}
NEEDED |= {"preset": "a run has none unless you name one", "sweep": "there is none unless you name one"}
NEEDED |= {"scheduler": "type scheduler=none", "callbacks": "'~callbacks.dashboard', say, leaves a single one out"}
CHECKS = re.compile(r"[~+]*hydra[./]callbacks(\.check\b|=|$)")  # words that would replace the callback `check.Check`
# Settings that have no effect on a single run, and those that have none on a sweep, with what to type instead.
OF_A_SWEEP = {r"hydra[./](sweep|sweeper|launcher)\b|isolate$": "works only in a sweep: add -m"}
OF_A_RUN = {
    r"hydra\.run\b": "works only in a single run: a sweep's folder is hydra.sweep.dir=path/to/folder",
    r"hydra\.output_subdir$": "works only in a single run: a job's configuration is in its job.yaml",
}


# Groups of conf/ whose option follows from other groups: any other would take away what suits the pair.
FOLLOWS = ("dataset_model", "dataset_model_optimizer")


def given_words(cfg: DictConfig, of: str = "task") -> list[str]:
    """The words of the command line as they were typed, without Hydra's own; of="hydra": those.

    Reading them from `cfg` directly would replace the references (${…}) in them.
    """
    return OmegaConf.to_container(cfg.hydra.overrides, resolve=False)[of]


def refuse_words(cfg: DictConfig, others: dict[str, str]) -> None:
    """Raises UserError for a word that this program sets itself, or that fits one of the patterns in `others`."""
    for word in [*given_words(cfg), *given_words(cfg, of="hydra")]:
        key, value = key_of(word), word.partition("=")[2]
        for name in with_above(key):
            if name in SETTINGS and SETTINGS[name].instead:
                raise UserError(refusal(name))
        if key in FOLLOWS:
            raise UserError(f"{key} follows from dataset, model and optimizer: leave {word} out.")
        for pattern, why in others.items():
            if re.match(pattern, key) and value not in ("null", "false"):
                raise UserError(f"{word} {why}.")


def refuse_left_out(words: Iterable[str]) -> None:
    """Raises UserError for a word that leaves out what every run needs, or this program's checks."""
    for word in words:
        if CHECKS.match(word) and not re.search(r"\bcheck\b", word.partition("=")[2]):
            raise UserError(f"{word} would leave out the checks of this program: leave that word out.")
        if not word.startswith("~"):
            continue
        key = key_of(word)
        if key in NEEDED:
            raise UserError(f"{word} cannot be left out: {NEEDED[key]}.")
        of_every_run = "." not in key or key.startswith("trainer.")
        if of_every_run and key in SETTINGS and key not in GROUPS and not SETTINGS[key].instead:
            raise UserError(f"{word} cannot be left out: every run has it, and {key}=… gives it another value.")


def check_additions(cfg: DictConfig) -> None:
    """Raises UserError for a word that adds a setting, such as +lr=0.1, which nothing reads, or which the class that it
    is meant for does not take according to its source."""
    for word in given_words(cfg):
        key = key_of(word)
        if not word.startswith("+") or key in cfg.hydra.runtime.choices:  # +experiment=mine names an option of a group
            continue
        top, _, rest = key.partition(".")
        if rest and top in TOPS:
            refuse_unknown_argument(key, cfg)
            continue
        meant = (rest and similar(key, top, cfg)) or elsewhere(key, cfg) or similar(key, top, cfg, cutoff=0.8)
        if meant and not is_referred_to(top, cfg):
            raise UserError(f"{word} adds a setting that nothing reads.{meant}")


def is_referred_to(key: str, cfg: DictConfig) -> bool:
    """Whether a setting refers to the one of the top level, as ${key}, ${key.name} or ${a_resolver:key}."""
    return re.search(rf"\$\{{([\w.]+:)?\.*{re.escape(key)}\b", OmegaConf.to_yaml(cfg)) is not None


def unread_additions(*configs: DictConfig) -> list[str]:
    """A note on each setting that a word adds to the top level, such as +note=first, which nothing reads."""
    notes = []
    for cfg in configs:
        for word in given_words(cfg):
            key, known = key_of(word), TOPS | cfg.hydra.runtime.choices.keys()
            if word.startswith("+") and (top := key.partition(".")[0]) not in known and not is_referred_to(top, cfg):
                notes.append(f"{key} is only kept with the other settings: no part of the program reads it.")
    return list(dict.fromkeys(notes))


def refuse_unread_data(cfg: DictConfig, swept: Iterable[str] = ()) -> None:
    """Raises UserError for data_dir=… where the dataset does not read it, since it would be trained on its own data.

    A folder is no mistake beside a dataset of this project, such as iris: every command may name that of the downloads.
    swept: the words that differ between the jobs of a sweep; if they choose datasets, another one may read it.
    """
    words = {key_of(word): word for word in given_words(cfg)}
    choose = {"dataset", "preset"}
    if "data_dir" not in words or is_referred_to("data_dir", cfg) or choose & {*map(key_of, swept)}:
        return
    dataset = f"dataset={cfg.hydra.runtime.choices.dataset}"
    if not choose & words.keys():
        raise UserError(
            f"{words['data_dir']} names no kind of data, and {dataset} does not read it: add dataset=image_folder for "
            "photos, dataset=csv dataset.target=<column of the classes> for a table."
        )
    cure = "leave it out"
    if target_of(cfg.dataset).startswith("proj.") and "data_dir" not in cfg.dataset and not Path(cfg.data_dir).suffix:
        return
    if "data_dir" in cfg.dataset:
        cure = "type dataset.data_dir=…, or write data_dir: ${data_dir} into the file of the dataset"
    raise UserError(f"{words['data_dir']} has no effect, since {dataset} does not read it: {cure}.")


def refuse_unknown_argument(key: str, cfg: DictConfig) -> None:
    """Raises UserError for a setting such as optimizer.momentum if the optimizer's class does not take it.

    Only classes of proj and of libraries are checked: one of the user's own may pass on what its source does not name.
    """
    place, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, place)
    target = target_of(node)
    if OmegaConf.is_dict(node) and node.get("_target_", "") is None and name != "_target_":
        raise UserError(f"{key} has no effect, since {place} names no class: leave it out, or choose another {place}.")
    if not target.startswith(("proj.", "torch.", "torchvision.", "lightning.")) or name.startswith("_") or key in OLD:
        return
    taken = arguments(target)
    if taken is not None and name not in taken:
        options = [one for one in taken if one not in HANDED and not policy(f"{place}.{one}").instead]
        raise UserError(f"There is no setting {key!r}.{elsewhere(key, cfg) or nearest(name, options, f'{place}.')}")


def check_fold_part(cfg: DictConfig) -> None:
    """Raises UserError for a word that sets the size of the split (test, say) that a fold replaces."""
    part, folds = declared(cfg.dataset._target_, "fold_part"), cfg.dataset.get("folds")
    for word in given_words(cfg):
        if folds and key_of(word) == f"dataset.{part}_fraction":
            why = f"since a fold is the {part} part: leave it out"
            raise UserError(f"{word} has no effect with dataset.folds={folds}, {why}.")


def check_momentum(cfg: DictConfig) -> None:
    """Raises UserError for a momentum that OneCycleLR would overwrite, since it cycles the momentum too."""
    scheduler, keeps_its_own = cfg.scheduler, target_of(cfg.optimizer).endswith(".Muon")
    cycles = target_of(scheduler).endswith(".OneCycleLR") and scheduler.get("cycle_momentum", True)
    if keeps_its_own or not cycles:
        return
    low, high = scheduler.get("base_momentum", 0.85), scheduler.get("max_momentum", 0.95)
    given = {"momentum": cfg.optimizer.get("momentum"), "betas": (cfg.optimizer.get("betas") or [None])[0]}
    for name, value in given.items():
        if isinstance(value, int | float) and (0 <= value < low or high < value < 1):
            raise UserError(
                f"optimizer.{name}={cfg.optimizer[name]} has no effect with this scheduler, which moves the momentum "
                f"between {low} and {high}: add +scheduler.cycle_momentum=false, or leave it out."
            )


def check_length(scheduler: DictConfig) -> None:
    """Raises UserError for a schedule's number of epochs beside its total_steps, since torch ignores the epochs."""
    for name in ("epochs", "steps_per_epoch"):
        if scheduler.get(name) is not None and scheduler.get("total_steps") is not None:
            raise UserError(
                f"scheduler.{name} has no effect beside scheduler.total_steps={scheduler.total_steps}: leave it out "
                "(trainer.max_epochs is the run's length)."
            )


def check_augmentation(cfg: DictConfig) -> None:
    """Raises UserError for augmentation that does not work with the data, the loss or the network."""
    if cfg.dataset.get("sizes") and cfg.model._target_ == "proj.models.Pretrained":
        raise UserError("dataset.sizes shrinks images, and model=pretrained enlarges them: give dataset.sizes=null.")
    strong, loss = cfg.dataset.get("augment"), str(OmegaConf.select(cfg, "model.loss._target_"))
    if strong and kind_of_data(cfg) == "table":
        raise UserError("augment=strong changes images, and the dataset is a table: leave it out.")
    if cfg.model._target_ == "proj.models.Pretrained" and cfg.model.get("train") == "head":
        for word in given_words(cfg):
            if re.match(r"\+*dataset\.augment\.(mixup|cutmix)=(?!0(\.0*)?$)", word):
                raise UserError(f"{word} has no effect on model.train=head, which sees single pictures: leave it out.")
    mixes = strong and (strong.get("mixup") or strong.get("cutmix"))
    if mixes and loss.startswith("torch.nn.") and not loss.endswith(".CrossEntropyLoss"):
        cure = "use torch.nn.CrossEntropyLoss, or dataset.augment.mixup=0 dataset.augment.cutmix=0"
        raise UserError(f"model.loss._target_={loss} takes no mixed labels: {cure}.")
