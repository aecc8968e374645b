"""A sweep on a Ray of one node."""

import pytest
from support.classes import ENV, dies

from proj.checkpoint.file import load_checkpoint

pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="not installed: pip install 'proj[ray]'")
pytestmark = pytest.mark.ray


def test_jobs_train_side_by_side_with_a_thread_each_and_one_whose_worker_dies_goes_on(command, tmp_path):
    env = {name: value for name, value in ENV.items() if name != "OMP_NUM_THREADS"}
    words = ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "seed=1,2", "sweep_name=s", *dies(tmp_path)]
    words += ["trainer=cpu", "trainer.max_epochs=3", "~callbacks.progress", "save_every=0"]
    process = command("-m", "proj.train", "-m", *words, env=env, fresh=True)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "died0").exists()
    for folder in tmp_path.glob("outputs/sweeps/s/*_seed=*"):
        assert (folder / "metrics.json").exists()
        assert load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["threads"] == 1


def test_a_search_whose_worker_dies_goes_on_with_its_trial(command, tmp_path):
    words = ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "sweep_name=s", *dies(tmp_path), "seed=2"]
    words += ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2"]
    words += ["optimizer.lr=interval(0.01,0.1)", "trainer=cpu", "trainer.max_epochs=3", "~callbacks.progress"]
    process = command("-m", "proj.train", "-m", *words, "save_every=0", env=ENV, fresh=True)
    assert process.returncode == 0 and "3 runs (finished)" in process.stdout, process.stderr
    assert (tmp_path / "died0").exists()


def test_more_seeds_train_on_ray_too(command, tmp_path):
    words = ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "optimizer.lr=0.01,0.011", "seed=1"]
    words += ["sweep_name=s", "trainer=cpu", "trainer.max_epochs=1", "~callbacks.progress"]
    assert command("-m", "proj.train", "-m", *words, fresh=True).returncode == 0
    process = command("-m", "proj.sweep", "resume=outputs/sweeps/s", "seeds=+1", fresh=True)
    assert process.returncode == 0 and "4 runs (finished)" in process.stdout, process.stderr
    assert "Ray Launcher is launching 2 jobs" in process.stdout + process.stderr
