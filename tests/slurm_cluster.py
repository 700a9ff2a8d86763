"""A real SLURM cluster on this machine: one slurmctld, five slurmd with eight make-believe A800s
each, munge.

Debian's slurmd takes -N, so that several nodes stand on one host. Of the partition `few`, the
default, four CPUs are taken at once, since the machine may have two; the partition `gpu` is as
large as it says. On the last two nodes jobs of `spare` give way to those of `urgent`, and no other
test's jobs run. The jobstep drops SLURM_CONF, so the configuration must stand in /etc/slurm; what
stood there before is put back. Only processes that were started here are ended.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tree import PLUGIN

# A second between looks at the queue keeps the tests short; the cluster itself runs four jobs at a
# time.
QUICK = (
    "--profile",
    "slurm",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--max-jobs-per-timespan",
    "100/1s",
)
BINARIES = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "munged")
PACKAGES = "slurmctld slurmd slurm-client munge"
NODES, GPUS = 5, 8
SIZE = f"CPUs=64 RealMemory=1000000 Gres=gpu:a800:{GPUS}"
ETC = Path("/etc/slurm")
SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={first}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=30
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=5
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=task=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
GresTypes=gpu
MinJobAge=3600
SlurmdParameters=config_overrides
NodeName=node[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports}] {size}
PartitionName=few Nodes=node[1-2] MaxCPUsPerNode=2 Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=node[1-3] MaxTime=INFINITE State=UP
PartitionName=spare Nodes=node[4-5] PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=node[4-5] PriorityTier=9 PreemptMode=OFF MaxTime=INFINITE State=UP
"""
GRES_CONF = """AutoDetect=off
NodeName=node[1-{nodes}] Name=gpu Type=a800 File={folder}/gpu/nvidia[0-{last}]
"""


def missing():
    """The sentence that says why there can be no cluster here, or None."""
    if os.geteuid() != 0:
        return (
            "The tests of a SLURM cluster need root; run them as root, for example in a container."
        )
    if absent := [name for name in BINARIES if not shutil.which(name)]:
        remedy = f"on Debian: apt-get install {PACKAGES}"
        return f"The tests of a SLURM cluster need {', '.join(absent)}; {remedy}"
    if not PLUGIN.is_dir():
        return (
            "The tests of a SLURM cluster need Snakemake's plugin; `make test-all` puts it into "
            ".venv/slurm."
        )
    return None


@contextmanager
def cluster(folder):
    """A running cluster whose files lie in `folder`.

    If there can be none, the test is skipped; in CI it fails.
    """
    if reason := missing():
        (pytest.fail if os.environ.get("POSTGRAD_NEEDS_SLURM") else pytest.skip)(reason)
    with ExitStack() as stack:
        host = socket.gethostname()
        stack.enter_context(resolving(host))
        stack.enter_context(configured(folder, host))
        stack.enter_context(daemon(folder, munged(folder)))
        wait(lambda: ran("munge", "-S", f"{folder}/munge/socket", "-n"), "munged")
        stack.enter_context(daemon(folder, ["slurmctld", "-D"]))
        for node in range(1, NODES + 1):
            stack.enter_context(daemon(folder, slurmd(f"node{node}")))
        wait(
            lambda: (
                told("sinfo", "-h", "-N", "-p", "gpu,spare", "-o", "%T").split() == ["idle"] * NODES
            ),
            f"{NODES} idle nodes",
        )
        yield folder


def slurmd(node):
    return ["slurmd", "-D", "-N", node]


def munged(folder):
    """The command that starts a munged of our own.

    Its key, socket and files lie in the folder. munged is strict about their modes.
    """
    home = folder / "munge"
    home.mkdir()
    (home / "key").write_bytes(os.urandom(128))
    (home / "key").chmod(0o600)
    files = [f"--{name}={home}/{name}" for name in ("socket", "log-file", "pid-file", "seed-file")]
    return ["munged", "--foreground", "--force", f"--key-file={home}/key", *files]


@contextmanager
def resolving(host):
    """The host's own name can be looked up; a line in /etc/hosts goes again."""
    hosts, before = Path("/etc/hosts"), None
    try:
        socket.gethostbyname(host)
    except OSError:
        before = hosts.read_text()
        hosts.write_text(f"{before.rstrip()}\n127.0.0.1 {host}\n")
    try:
        yield
    finally:
        if before is not None:
            hosts.write_text(before)


@contextmanager
def configured(folder, host):
    """slurm.conf and gres.conf in /etc/slurm; what stood there before comes back."""
    (folder / "gpu").mkdir()
    (folder / "state").mkdir()
    for number in range(GPUS):  # clones of /dev/null: slurmd wants device files
        os.mknod(folder / "gpu" / f"nvidia{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    values = {"folder": folder, "host": host, "nodes": NODES, "size": SIZE}
    first = free_ports(NODES + 1)
    texts = {
        "slurm.conf": SLURM_CONF.format(
            **values, first=first, ports=f"{first + 1}-{first + NODES}"
        ),
        "gres.conf": GRES_CONF.format(**values, last=GPUS - 1),
    }
    ETC.mkdir(exist_ok=True)
    before = {name: (ETC / name).read_text() if (ETC / name).exists() else None for name in texts}
    for name, text in texts.items():
        (ETC / name).write_text(text)
    try:
        yield
    finally:
        for name, text in before.items():
            (ETC / name).unlink() if text is None else (ETC / name).write_text(text)


def free_ports(n):
    """The first of n free ports in a row.

    The daemons of a test run that was killed may still hold some.
    """
    for first in range(17000, 19000, 20):
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + n):
                stack.enter_context(socket.socket()).bind(("", port))
            return first
    raise AssertionError("no free ports for a cluster from 17000 to 19000")


@contextmanager
def daemon(folder, command):
    """A process in the foreground, ended by its own id."""
    with (folder / "daemons.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ran(*command):
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def told(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def wait(ready, what, seconds=60):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"no {what} after {seconds} s"
        time.sleep(0.1)


def jobs():
    """{id: {Comment, JobState, NumNodes, TresPerJob, ...}} of every job of this cluster."""
    lines = told("scontrol", "show", "job", "--oneliner").splitlines()
    found = [
        dict(field.partition("=")[::2] for field in line.split(" ") if "=" in field)
        for line in lines
    ]
    return {job["JobId"]: job for job in found if "JobId" in job}
