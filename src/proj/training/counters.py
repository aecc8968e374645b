"""Lightning's own counts of what it has done, corrected where a run is stopped and goes on.

They are private parts of Lightning 2.6, which counts a batch as begun before any callback can save, and an epoch as
done wherever the training ends.
"""

from lightning.pytorch import Trainer
from lightning.pytorch.loops.loop import _Loop


def count_batch_as_not_begun(checkpoint: dict) -> None:
    """For a checkpoint that is taken as a batch starts, which Lightning has counted as begun already.

    The epoch stays counted as begun, also at its first batch: its `on_train_epoch_start` has been called, and Lightning
    does not call it again.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["ready"] = counts["started"] = counts["processed"] = counts["completed"]
    progress["is_last_batch"] = False


def count_epoch_as_not_done(checkpoint: dict) -> None:
    """For a checkpoint at the end of a training that a limit, such as max_steps, has ended within an epoch."""
    checkpoint["epoch"] -= 1
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["processed"] -= 1
        counts["completed"] -= 1


def say_whether_an_epoch_goes_on(trainer: Trainer) -> None:
    """Tell Lightning whether the checkpoint was taken within an epoch.

    With max_steps its fit loop answers yes of every checkpoint, and leaves the next epoch out. So does its setter of
    `restarting`; that of the class below takes what it is given.
    """
    epochs = trainer.fit_loop.epoch_progress.current
    _Loop.restarting.fset(trainer.fit_loop, epochs.ready != epochs.processed)


def say_that_the_run_goes_on_as_usual(trainer: Trainer, batches_that_stepped: int) -> None:
    """At the first batch after a restart; else Lightning leaves ReduceLROnPlateau out at the end of this epoch.

    batches_that_stepped: the step at which its loggers go on.
    """
    _Loop.restarting.fset(trainer.fit_loop, False)
    trainer.fit_loop.epoch_loop._batches_that_stepped = batches_that_stepped
