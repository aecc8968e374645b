"""What the user probably meant by a setting that does not exist: optimizer.lr for optimzer.lr, lr or learning_rate."""

from difflib import get_close_matches

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from proj.config.declared import arguments
from proj.config.settings.table import SETTINGS, policy, refusal, with_above
from proj.config.words import GROUPS
from proj.errors import nearest

# What to type, and names under which users look for it, such as those of other programs.
MEANT = {
    "optimizer": "optim opt solver",
    "optimizer.lr": "learning_rate learning_rate_init lr_rate lr0 base_lr eta",
    "optimizer.weight_decay": "wd l2 l2_penalty",
    "scheduler": "sched lr_scheduler lr_scheduler_type lr_schedule",
    "scheduler.pct_start": "warmup warmup_epochs warmup_steps warmup_ratio",
    "dataset.batch_size": "batch bs train_batch_size per_device_train_batch_size",
    "dataset.size": "image_size img img_size imgsz imagesz input_size resize resolution",
    "dataset.channels": "gray grey grayscale greyscale in_channels in_chans",
    "dataset.flip": "hflip fliplr horizontal_flip mirror",
    "dataset.augment.rotate": "degrees rotation",
    "dataset.augment.erase": "random_erasing reprob",
    "dataset.augment.brightness": "color_jitter",
    "dataset.val_fraction": "val_split val_size validation_split validation_fraction valid_pct",
    "dataset.test_fraction": "test_split test_size",
    "dataset.folds": "cv kfold k_fold k_folds n_folds num_folds n_splits cross_validation",
    "dataset.group": "groups",
    "dataset.split": "split_column split_col part set_column partition",
    "dataset=csv dataset.order": "time_column date_column timestamp_column sort_by order_by",
    "dataset.cache_dir": "cache",
    "dataset=csv dataset.target": "target target_column label labels label_column",
    "dataset=image_folder dataset.labels": "labels_file labels_csv label_file annotations annotation_file metadata",
    "data_dir": "data_path path file csv input root train_dir dataset_dir dataset_path data_root images",
    "data_dir or hydra.run.dir": "folder directory",
    "dataset or data_dir": "data",
    "model": "net network arch architecture model_name",
    "model.hidden": "hidden_size hidden_sizes hidden_dim hidden_layers hidden_layer_sizes hidden_units",
    "model.depth": "layers n_layers num_layers",
    "model.dropout": "drop drop_rate dropout_rate",
    "model.loss": "criterion loss_fn loss_function",
    "model.loss.label_smoothing": "smoothing",
    "model=pretrained": "pretrained",
    "model=pretrained model.backbone": "encoder base_model",
    "model=pretrained model.train=head": "freeze freeze_backbone freeze_base frozen",
    "model=pretrained model.train=all": "unfreeze finetune fine_tune",
    "model=pretrained model.weights or balance=loss": "weights",
    "balance=loss": "class_weight class_weights pos_weight",
    "seed": "random_state random_seed",
    "-m seed=1,2,3": "seeds n_seeds num_seeds repeats",
    "monitor": "metric metrics scoring",
    "monitor or mode": "direction directions",
    "trainer.max_epochs": "epochs epoch num_epochs n_epochs nepochs num_train_epochs max_iter",
    "trainer.max_steps": "steps iterations",
    "trainer.max_time": "timeout time_limit",
    "trainer.devices": "gpus num_gpus n_gpus",
    "trainer=gpu": "gpu cuda",
    "trainer=cpu": "cpu",
    "trainer=gpu or trainer=cpu": "device use_gpu use_cuda",
    "trainer=ddp": "distributed ddp",
    "trainer=debug": "debug dry_run",
    "trainer.precision": "fp16 bf16 amp half mixed_precision",
    "trainer.gradient_clip_val": "clip grad_clip clip_grad clipnorm max_grad_norm",
    "trainer.accumulate_grad_batches": "gradient_accumulation_steps accumulate grad_accum accumulation_steps",
    "trainer.log_every_n_steps": "log_every log_interval logging_steps",
    "trainer.check_val_every_n_epoch": "eval_every eval_interval val_interval",
    "trainer.limit_train_batches": "subset limit max_samples",
    "~callbacks.progress": "quiet silent",
    "callbacks=early_stopping": "early_stopping early_stop",
    "callbacks=early_stopping callbacks.early_stopping.patience": "patience",
    "callbacks=average": "ema model_ema swa",
    "augment=strong": "augment",
    "augment": "augmentation augmentations data_augmentation",
    "logger": "report_to",
    "logger=mlflow": "mlflow",
    "logger=tensorboard": "tensorboard",
    "logger=wandb": "wandb",
    "preset or hydra.run.dir": "experiment",  # a preset in lightning-hydra-template
    "resume": "run ckpt checkpoint ckpt_path resume_from resume_from_checkpoint",
    "save_every": "save_period save_freq save_steps",
    "hydra.run.dir": (
        "dir out output outputs output_folder save_dir log_dir logdir name run_name project experiment_name"
    ),
    "hydra/launcher": "launcher",
    "hydra/sweeper": "sweeper",
    "hydra/launcher=joblib hydra.launcher.n_jobs": "n_jobs jobs",
    "hydra/sweeper=optuna hydra.sweeper.n_trials": "n_trials trials",
    "hydra/sweeper=optuna": "tune search",
}
OTHER_NAMES = {name: meant for meant, names in MEANT.items() for name in names.split()}
# Why other programs need a setting that this one does not have.
NEEDLESS = {
    "no workers load the data": "workers num_workers n_workers dataloader_num_workers pin_memory",
    "every model here is a classifier": "task problem_type objective",
    "the data says which classes there are": "classes class_names names nc num_classes n_classes num_labels",
    "the training examples are shuffled in every epoch, and every split is stratified": "shuffle stratify",
    "the environment variable OMP_NUM_THREADS sets the number of threads": "threads num_threads n_threads cpus",
}
LEFT_OUT = {name: reason for reason, names in NEEDLESS.items() for name in names.split()}
OLD = ("dataset.kind", "model.accepts")  # settings that only the configurations of older versions have


def unknown_setting(error: ConfigKeyError | ConfigAttributeError, typed: str) -> str:
    """The sentence for a setting that is not in the configuration.

    typed: the whole setting, such as optimzer.lr; the error itself names only the part that does not exist, optimzer.
    """
    key, node, plus = str(error.full_key), error.parent_node, ""
    cfg, place, rest = node._get_root(), key.removesuffix(str(error.key)), typed.removeprefix(key)
    if policy(key).instead:
        return refusal(key)
    if key in ("resume", "trust"):
        return f"{key} works only on the command line: python -m proj.train resume=<folder>"
    if known := rest and similar(typed, key, cfg):
        return f"There is no setting {typed!r}.{known}"
    asked = key if place else typed
    if known := elsewhere(asked, cfg):
        return f"There is no setting {asked!r}.{known}"
    if isinstance(node, DictConfig) and "_target_" in node and not key.startswith("trainer."):  # conf/ has all of these
        if node["_target_"] is None:
            return f"There is no setting {key!r}, since {place[:-1]} names no class: choose another {place[:-1]}."
        taken = arguments(str(node["_target_"]))
        if taken is None or error.key in taken:
            plus = f" For another argument of its class, add a plus: +{key}=…"
    options = {*node} if place else {*node, "resume", "trust", "sweep", *GROUPS} - {key, "hydra"}
    options = {name for name in options if not policy(f"{place}{name}").instead}
    return f"There is no setting {key!r}.{nearest(str(error.key), options, place)}{plus}"


def similar(key: str, above: str, cfg: DictConfig, cutoff: float = 0.5) -> str:
    """The end of a message on a setting `key` that does not exist, because `above`, which is the beginning of its name
    or all of it, is misspelt: suggests what is spelled alike, such as optimizer.lr for optimzer.lr, seed for sed."""
    place, _, name = above.rpartition(".")
    siblings = {*map(str, OmegaConf.select(cfg, place))} - {name}
    for sibling in get_close_matches(name, siblings, cutoff=cutoff):
        corrected = f"{place}.{sibling}" if place else sibling
        if meant := as_typed(corrected + key.removeprefix(above), cfg):
            return f" Did you mean {meant!r}?"
    return ""


def elsewhere(key: str, cfg: DictConfig) -> str:
    """The end of a message on a setting that does not exist: suggests others of that name, such as optimizer.lr for lr,
    from the table of settings and from this configuration."""
    (place, _, name), of_that_name = key.rpartition("."), []
    if place in GROUPS and name in ("name", "type"):  # model.name=cnn
        return f" Did you mean {place!r}?"
    groups = OmegaConf.to_container(cfg, resolve=False)
    groups.pop("hydra", None)  # its settings are others: hydra.run is none, and hydra.launcher is hydra/launcher=…
    composed = [f"{group}.{setting}" for group, node in groups.items() if isinstance(node, dict) for setting in node]
    settings = dict.fromkeys([*SETTINGS, *(setting for setting in composed if setting != key)])
    names = {setting.rpartition(".")[2] for setting in settings} - {"_target_"}
    # A misspelt name without a point is more likely a setting's than a group's: max_epoch means trainer.max_epochs.
    if not place and name not in names | OTHER_NAMES.keys() | LEFT_OUT.keys():
        name = next(iter(get_close_matches(name, names - {*cfg}, n=1, cutoff=0.8)), name)
    if key not in SETTINGS:  # a key in the table is right, but the chosen class does not take it
        of_that_name = [
            setting
            for setting in settings
            if setting.endswith(f".{name}")
            and setting not in OLD
            and not any(policy(above).instead for above in with_above(setting))
        ]
    fitting = [word for setting in of_that_name if (word := as_typed(setting, cfg))]
    if not fitting and place and get_close_matches(name, map(str, OmegaConf.select(cfg, place) or ()), cutoff=0.9):
        return ""  # trainer.device means trainer.devices
    if not fitting:
        argument = as_typed(key, cfg) if place else None  # of a class of the user's own, say
        if name in LEFT_OUT and not argument:
            return f" Leave it out: {LEFT_OUT[name]}."
        fitting = [word for word in (OTHER_NAMES.get(name), argument) if word] if name in OTHER_NAMES else []
    if fitting:
        return f" Did you mean {' or '.join(map(repr, fitting))}?"
    if not of_that_name:
        return ""
    groups = dict.fromkeys("augment" if "augment" in setting else setting.partition(".")[0] for setting in of_that_name)
    others = " or ".join(f"{group}=…" for group in groups)
    return f" With another {others} there is {' or '.join(map(repr, of_that_name))}."


def as_typed(key: str, cfg: DictConfig) -> str | None:
    """How a setting is typed for this configuration: with a plus if it is an argument that conf/ does not list.

    None if this configuration takes no such setting.
    """
    place, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, place)
    if not OmegaConf.is_dict(node):
        return None
    if name in node:
        return key
    target = node.get("_target_")
    return f"+{key}" if target and name in (arguments(target) or ()) else None
