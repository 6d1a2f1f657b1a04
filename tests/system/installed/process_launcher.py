"""A run launcher whose run workers are processes of this machine, and which resumes runs.

It is to `dagster api execute_run` and `resume_run` what the K8sRunLauncher is to them in pods: run
monitoring finds the worker gone and starts another. Tests copy it into their project.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import psutil
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.storage.dagster_run import DagsterRun
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

WORKER = "worker/process"


class ProcessLauncher(RunLauncher, ConfigurableClass):
    """Starts a process a run, and another when that one is gone."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        """Keep what Dagster wants kept."""
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What it was made of."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Take no config."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ProcessLauncher:
        """Make one."""
        del config_value
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the first process of a run."""
        self._start(context.dagster_run, ExecuteRunArgs)

    @property
    def supports_resume_run(self) -> bool:
        """Yes."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Start another process for a run."""
        self._start(context.dagster_run, ResumeRunArgs)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Look for the process."""
        process = _process(run)
        is_running = process is not None and process.status() != psutil.STATUS_ZOMBIE
        return CheckRunHealthResult(WorkerStatus.RUNNING if is_running else WorkerStatus.FAILED)

    def terminate(self, run_id: str) -> bool:
        """Ask the process to end."""
        run = self._instance.get_run_by_id(run_id)
        process = _process(run) if run else None
        if run is None or process is None:
            return False
        self._instance.report_run_canceling(run)
        process.terminate()
        return True

    def _start(self, run: DagsterRun, kind: type[ExecuteRunArgs | ResumeRunArgs]) -> None:
        assert run.job_code_origin is not None
        arguments = kind(
            job_origin=run.job_code_origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        ).get_command_args()
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments[1:]], start_new_session=True
        )
        self._instance.add_run_tags(run.run_id, {WORKER: str(process.pid)})


def _process(run: DagsterRun) -> psutil.Process | None:
    try:
        return psutil.Process(int(run.tags[WORKER]))
    except psutil.NoSuchProcess:
        return None
