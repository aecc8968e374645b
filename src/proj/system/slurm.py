"""What is special about Slurm: a name that stays the same over restarts, requeueing a job, waiting for all jobs."""

import os
import shutil
import signal
import subprocess


def slurm_name() -> str | None:
    """A name for this step of a Slurm job, which stays the same when Slurm requeues the job.

    None outside of srun, and in an interactive terminal (srun --pty), where the user starts one run after another.
    """
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if job is None or step is None or "SLURM_PTY_PORT" in os.environ:
        return None
    name = f"slurm-{job}"
    return name if step == "0" else f"{name}.{step}"


def requeue(number: int) -> None:
    """Requeue this Slurm job if the signal `number` means that its time is up, or that another job preempts it."""
    # Without srun, the script would start a new run when it is run again. A container may lack Slurm's commands.
    if not {"SLURM_JOB_ID", "SLURM_STEP_ID"} <= os.environ.keys() or not shutil.which("scontrol"):
        return
    job = os.environ["SLURM_JOB_ID"]
    if {"SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"} <= os.environ.keys():  # one task's id is that of the whole array
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if number in (signal.SIGINT, signal.SIGTERM):
        about = subprocess.run(["scontrol", "-o", "show", "job", job], capture_output=True).stdout
        if b"JobState=RUNNING" not in about or b"PreemptTime=None" in about:
            return  # the job was cancelled, or Slurm has requeued it itself, as it does where there is no grace time
    if subprocess.run(["scontrol", "requeue", job]).returncode == 0:
        print(f"Slurm's job {job} is queued again; it will resume from here.", flush=True)


def wait_for_every_job() -> None:
    """Have Hydra's launcher for Slurm wait for all jobs: by itself it stops at the first whose process has died."""
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
    SlurmJob.watcher = SlurmInfoWatcher(delay_s=30)  # submitit 1.5 would look for ended jobs every 10 minutes
