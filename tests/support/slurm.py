"""Starts and stops a Slurm cluster of one node with two cores, whose files are in a test's folder."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.runs import free_ports

DAEMONS = "munged", "slurmctld", "slurmd"
# submitit asks sacct what became of a job whose process has died. The real sacct needs a database, which is not here.
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
scontrol -o show job | sed -E 's/^JobId=([0-9]+)(.*)$/\\1\\2/
    s/^[0-9]+ ArrayJobId=([0-9]+) ArrayTaskId=([0-9]+)/\\1_\\2/
    s/^([0-9_]+) .*JobState=([A-Z_]+) .*$/\\1|\\2|node/'
"""
CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=3600
KillWait=20
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes={host} PriorityTier=2 PreemptMode=OFF
"""


def missing() -> str | None:
    """Why Slurm cannot be started here; None if it can."""
    if absent := [name for name in DAEMONS if not find(name)]:
        return f"{', '.join(absent)} not installed: apt-get install slurm-wlm munge"
    return None if getpass.getuser() == "root" else "slurmd needs root"


def find(daemon: str) -> str | None:
    return shutil.which(daemon, path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment in which sbatch, srun and the others find this cluster."""
    host, munge = socket.gethostname().split(".")[0], folder / "munge"
    for name in ("munge", "state", "spool", "bin"):
        (folder / name).mkdir(parents=True, mode=0o755)
    (folder / "bin" / "sacct").write_text(SACCT)
    (folder / "bin" / "sacct").chmod(0o755)
    (folder / "slurm.conf").write_text(CONF.format(folder=folder, host=host, ports=free_ports(2)))
    (munge / "key").write_bytes(os.urandom(1024))
    (munge / "key").chmod(0o400)
    env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    words = [f"--{option}={munge / name}" for option, name in files.items()]
    daemons = []
    try:
        for command in (["munged", "-F", "--force", *words], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
            with open(folder / f"{command[0]}.out", "w") as out:
                daemons.append(subprocess.Popen([find(command[0]), *command[1:]], env=env, stdout=out, stderr=out))
        deadline = time.monotonic() + 60
        while "idle" not in subprocess.run(["sinfo", "-ho", "%T"], env=env, capture_output=True, text=True).stdout:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Slurm does not start: see the logs in {folder}")
            time.sleep(0.2)
        yield env
    finally:
        subprocess.run(["scancel", "--user=root"], env=env, capture_output=True)
        deadline = time.monotonic() + 40
        while subprocess.run(["squeue", "-h"], env=env, capture_output=True).stdout and time.monotonic() < deadline:
            time.sleep(0.5)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(20)
