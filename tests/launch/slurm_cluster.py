"""A Slurm of one node on this machine: munged, slurmctld and slurmd of the test's own."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.files import write_text
from tests.conftest import await_that
from tests.launch.hosts import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing() -> str | None:
    """Return why there can be no Slurm here, None if there can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if absent:
        return f"{absent[0]} is not installed"
    return None if os.geteuid() == 0 else "Slurm's daemons need root"


@dataclass
class Cluster:
    """The daemons, and the environment in which its commands find it."""

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Cluster:
        """Write key and configuration."""
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        (folder / "munge" / "key").write_bytes(os.urandom(1024))
        (folder / "munge" / "key").chmod(0o600)
        node, ports = platform.node(), (free_port(), free_port())
        write_text(
            folder / "slurm.conf",
            f"""
ClusterName=made
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
MinJobAge=300
KillWait=20
InactiveLimit=0
MessageTimeout=5
NodeName={node} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=work Nodes={node} Default=YES MaxTime=INFINITE State=UP
""",
        )
        write_text(folder / "cgroup.conf", "CgroupPlugin=autodetect\nIgnoreSystemd=yes\n")
        return cls(folder, {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _PATH})

    def run(self, *command: str) -> str:
        """Return the output of a command of Slurm's."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def start(self) -> None:
        """Start all daemons and wait until the node takes jobs."""
        munge = self.folder / "munge"
        self._start(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={munge / 'key'}",
            f"--socket={munge / 'socket'}",
            f"--pid-file={munge / 'pid'}",
            f"--log-file={munge / 'log'}",
            f"--seed-file={munge / 'seed'}",
        )
        await_that((munge / "socket").exists, 60)
        self.start_controller()
        self._start("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))
        await_that(self._is_idle, 120)

    def _is_idle(self) -> bool:
        """Tell whether the node takes jobs and answers: `idle*` does not."""
        return self._node_state() == "idle"

    def _node_state(self) -> str:
        return self.run("sinfo", "--noheader", "--format=%T").strip()

    def start_controller(self) -> None:
        """Start the scheduler and wait until it answers."""
        self._start("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        await_that(lambda: "is UP" in self._ping(), 60)

    def restart_controller(self) -> None:
        """Start a scheduler that was stopped, and wait until it has heard of its node again.

        It answers some seconds before that, and until then knows no node that can take jobs.
        """
        self.start_controller()
        await_that(lambda: not self._node_state().startswith("unknown"), 120)

    def _ping(self) -> str:
        environment = {**os.environ, **self.environment}
        command = ["scontrol", "ping"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        ).stdout

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=_PATH)
        assert program is not None
        environment = {**os.environ, **self.environment}
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [program, *arguments], env=environment, stdout=out, stderr=out
            )

    def stop(self, name: str) -> None:
        """End one daemon."""
        process = self.daemons.pop(name)
        process.terminate()
        process.wait(timeout=60)

    def close(self) -> None:
        """Cancel every job and end all daemons."""
        if "slurmctld" in self.daemons:
            self.run("scancel", "--user=root")
            await_that(lambda: not self.run("squeue", "--noheader").strip(), 120)
        for name in list(self.daemons)[::-1]:
            self.stop(name)

    def take_node(self, state: str) -> None:
        """Drain the node or take it down, as an operator does."""
        self.run("scontrol", "update", f"nodename={platform.node()}", f"state={state}", "reason=it")

    def resume_node(self) -> None:
        """Give the node back; a node that was down may have come back by itself."""
        environment = {**os.environ, **self.environment}
        command = ["scontrol", "update", f"nodename={platform.node()}", "state=resume"]
        subprocess.run(command, env=environment, check=False, capture_output=True)
        await_that(self._is_idle, 120)
