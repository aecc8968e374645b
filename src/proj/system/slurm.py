"""What a run or a sweep has to do with Slurm: its name, being queued again, waiting for its jobs."""

import os
import shutil
import signal
import subprocess


def slurm_name() -> str | None:
    """A name for what srun runs here, which stays the same when Slurm queues the job again.

    None outside of Slurm, and in a terminal of Slurm's, where a person starts one run after another.
    """
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if job is None or step is None or "SLURM_PTY_PORT" in os.environ:
        return None
    name = f"slurm-{job}"
    return name if step == "0" else f"{name}.{step}"


def requeue(number: int) -> None:
    """Queue this Slurm job again where the signal says that its time is up, or that it gives way to another job."""
    # Without srun its script would begin a new run, and a container may lack Slurm's commands.
    if not {"SLURM_JOB_ID", "SLURM_STEP_ID"} <= os.environ.keys() or not shutil.which("scontrol"):
        return
    job = os.environ["SLURM_JOB_ID"]
    if {"SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"} <= os.environ.keys():  # one task's id is that of the whole array
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if number in (signal.SIGINT, signal.SIGTERM):
        about = subprocess.run(["scontrol", "-o", "show", "job", job], capture_output=True).stdout
        if b"JobState=RUNNING" not in about or b"PreemptTime=None" in about:
            return  # cancelled; or Slurm has queued it again itself, as it does where there is no grace time
    if subprocess.run(["scontrol", "requeue", job]).returncode == 0:
        print(f"Slurm's job {job} is queued again; it will go on from here.", flush=True)


def wait_for_every_job() -> None:
    """Have Hydra's launcher for Slurm wait for all jobs; by itself it leaves at the first whose process has died."""
    from submitit import SlurmJob
    from submitit.core.utils import UncompletedJobError
    from submitit.slurm.slurm import SlurmInfoWatcher

    results = SlurmJob.results

    def results_or_none(job: SlurmJob) -> list:
        try:
            return results(job)
        except UncompletedJobError:
            print(f"job {job.job_id} ended without a result ({job.state}); what it said: {job.paths.stderr}")
            return [None]

    SlurmJob.results = results_or_none
    SlurmJob.watcher = SlurmInfoWatcher(delay_s=30)  # submitit 1.5 would notice after up to 10 minutes
