"""A sweep on a Ray of one node."""

import pytest
from support import classes
from support.classes import dies

from proj.checkpoint.file import load_checkpoint

pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="not installed: pip install 'proj[ray]'")
pytestmark = pytest.mark.ray
RAY = ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"]
# Else its workers, which give way to all others, would wait as long as the tests beside them work.
ENV = {name: value for name, value in classes.ENV.items() if name != "OMP_NUM_THREADS"} | {"RAY_worker_niceness": "0"}
WORDS = [*RAY, "trainer=cpu", "trainer.max_epochs=3", "~callbacks.progress", "~callbacks.dashboard", "save_every=0"]


def test_jobs_train_side_by_side_with_a_thread_each_and_one_whose_worker_dies_goes_on_and_so_do_more_seeds(
    command, tmp_path
):
    words = [*WORDS, "seed=1,2", "sweep_name=s", *dies(tmp_path)]
    process = command("-m", "proj.train", "-m", *words, env=ENV)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "died0").exists()
    process = command("-m", "proj.sweep", "resume=outputs/sweeps/s", "trust=support", "seeds=+1", env=ENV)
    assert process.returncode == 0 and "3 runs (finished)" in process.stdout, process.stderr
    assert "Ray Launcher is launching 1 jobs" in process.stdout + process.stderr
    for number in range(3):
        folder = tmp_path / f"outputs/sweeps/s/{number}_seed={number + 1}"
        assert (folder / "metrics.json").exists()
        assert load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["threads"] == 1


def test_a_search_whose_worker_dies_goes_on_with_its_trial(command, tmp_path):
    words = [*WORDS, "sweep_name=s", *dies(tmp_path), "seed=2", "optimizer.lr=interval(0.01,0.1)"]
    words += ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2"]
    # Fresh, so that its module is __main__, and pickled.
    process = command("-m", "proj.train", "-m", *words, env=ENV, fresh=True)
    assert process.returncode == 0 and "3 runs (finished)" in process.stdout, process.stderr
    assert (tmp_path / "died0").exists()
