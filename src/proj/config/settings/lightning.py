"""The part of the table of settings that holds the arguments of Lightning's Trainer and ModelCheckpoint."""

from proj.config.settings import ranges
from proj.config.settings.setting import FOLDER, Setting, reserved

HOW_OFTEN = "it saves after a validation, and trainer.val_check_interval=<{}> is how often"
SETTINGS_OF_LIGHTNING: dict[str, Setting] = {
    # callbacks.best is Lightning's ModelCheckpoint.
    "callbacks.best.dirpath": Setting(report="never", instead=FOLDER),
    "callbacks.best.every_n_train_steps": reserved(HOW_OFTEN.format("batches")),
    "callbacks.best.train_time_interval": reserved(HOW_OFTEN.format("time")),
    "callbacks.best.save_weights_only": reserved("a checkpoint holds all that it takes to use it"),
    "callbacks.best.save_on_exception": reserved("a run that is stopped saves last.ckpt, and best.ckpt stays the best"),
    "callbacks.best.filename": Setting(ranges.or_null(ranges.FILE_NAME)),
    "callbacks.best.save_top_k": Setting(ranges.WHOLE_OR_ALL),
    "callbacks.best.every_n_epochs": Setting(ranges.or_null(ranges.whole(1))),
    "callbacks.best.save_last": Setting(ranges.or_null(ranges.SWITCH)),
    "callbacks.best.save_on_train_epoch_end": Setting(ranges.or_null(ranges.SWITCH)),
    "callbacks.best.verbose": Setting(ranges.SWITCH),
    "callbacks.best.auto_insert_metric_name": Setting(ranges.SWITCH),
    "callbacks.best.enable_version_counter": Setting(ranges.SWITCH),
    # All arguments of Lightning's Trainer.
    "trainer": Setting(resume="free"),
    "trainer.accelerator": Setting(ranges.one_of("auto", "cpu", "gpu", "cuda", "mps", "tpu")),
    "trainer.devices": Setting(ranges.DEVICES, report="never"),  # a report counts the processes itself
    "trainer.num_nodes": Setting(ranges.whole(1)),
    "trainer.strategy": Setting(ranges.STRATEGY),
    "trainer.precision": Setting(ranges.PRECISION, resume="fixed", report="first"),
    "trainer.max_epochs": Setting(ranges.EPOCHS, resume="scheduled", report="first"),
    "trainer.min_epochs": Setting(ranges.or_null(ranges.whole(0))),
    "trainer.max_steps": Setting(ranges.WHOLE_OR_NO_LIMIT, resume="scheduled"),
    "trainer.min_steps": Setting(ranges.or_null(ranges.whole(0))),
    "trainer.max_time": Setting(ranges.or_null(ranges.DURATION)),
    "trainer.limit_train_batches": Setting(ranges.or_null(ranges.BATCHES), resume="fixed"),
    "trainer.limit_val_batches": Setting(ranges.or_null(ranges.BATCHES)),
    "trainer.limit_test_batches": Setting(ranges.or_null(ranges.BATCHES)),
    "trainer.limit_predict_batches": Setting(ranges.or_null(ranges.NOT_NEGATIVE)),
    "trainer.overfit_batches": Setting(ranges.OVERFIT, resume="fixed"),
    "trainer.fast_dev_run": Setting(ranges.TRIES),
    "trainer.val_check_interval": Setting(ranges.or_null(ranges.INTERVAL)),
    "trainer.check_val_every_n_epoch": Setting(ranges.or_null(ranges.whole(1))),
    "trainer.num_sanity_val_steps": Setting(ranges.or_null(ranges.whole(-1))),
    "trainer.log_every_n_steps": Setting(ranges.or_null(ranges.whole(1))),
    "trainer.accumulate_grad_batches": Setting(ranges.whole(1), resume="fixed"),
    "trainer.gradient_clip_val": Setting(ranges.or_null(ranges.NOT_NEGATIVE), resume="fixed"),
    "trainer.gradient_clip_algorithm": Setting(ranges.or_null(ranges.one_of("norm", "value")), resume="fixed"),
    "trainer.deterministic": Setting(ranges.or_null(ranges.DETERMINISTIC)),
    "trainer.benchmark": Setting(ranges.or_null(ranges.SWITCH)),
    "trainer.inference_mode": Setting(ranges.SWITCH),
    "trainer.use_distributed_sampler": Setting(ranges.SWITCH),
    "trainer.sync_batchnorm": Setting(ranges.SWITCH, resume="fixed"),
    "trainer.reload_dataloaders_every_n_epochs": Setting(ranges.whole(0)),
    "trainer.profiler": Setting(ranges.or_null(ranges.one_of("simple", "advanced", "pytorch"))),
    "trainer.detect_anomaly": Setting(ranges.SWITCH),
    "trainer.enable_model_summary": Setting(ranges.or_null(ranges.SWITCH)),
    "trainer.enable_autolog_hparams": Setting(ranges.SWITCH),
    "trainer.barebones": reserved(
        "it leaves out what every run here needs: trainer.fast_dev_run=true tries a run that leaves nothing"
    ),
    "trainer.callbacks": reserved("+callbacks.<name>._target_=<class> adds one, '~callbacks.<name>' leaves one out"),
    "trainer.default_root_dir": reserved(FOLDER),
    "trainer.enable_checkpointing": reserved("the checkpoints are those of callbacks.best and of save_every=<seconds>"),
    "trainer.enable_progress_bar": reserved("'~callbacks.progress' leaves the bar out"),
    "trainer.logger": reserved("logger=csv, 'logger=[tensorboard,mlflow]' and so on choose where the curves go"),
    "trainer.model_registry": reserved("a run's checkpoints stay in its folder, hydra.run.dir=path/to/folder"),
    "trainer.plugins": reserved("trainer.precision=… and trainer.strategy=… choose how and where a run computes"),
}
