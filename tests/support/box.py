"""A provider of environments from outside of the package: processes with a folder of their own.

It is installed as a package would be, by its entry point, and nothing of floe_tests knows it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from floe_tests.config.providers import Capabilities, EnvironmentSettings, RequiredProgram
from floe_tests.environments.processes import ProcessEnvironment
from floe_tests.environments.provider import Provider

if TYPE_CHECKING:
    from floe_tests.config.project import Workspace
    from floe_tests.config.tier import TierSettings
    from floe_tests.core.ledger import Ledger
    from floe_tests.core.log import Log
    from floe_tests.environments.environment import Environment
    from floe_tests.environments.lease import Lease

ENTRY = "box"


class BoxSettings(EnvironmentSettings):
    """Where boxes are."""

    shelf: str = Field(default="shelf", description="Folder of all boxes, below the project's.")


class BoxEnvironment(ProcessEnvironment):
    """This machine, with a folder that a run has for itself."""

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        shelf = settings.settings_of("box", BoxSettings).shelf
        box = workspace.root / shelf / lease.run_id
        self.ledger.write(lease.run_id, ENTRY, str(box))
        box.mkdir(parents=True, exist_ok=True)
        self.log(f"box {box} created")
        return replace(lease, state="held")

    def is_live(self, lease: Lease) -> bool:
        box = self.ledger.read(lease.run_id, ENTRY, str)
        return box is not None and Path(box).is_dir()

    def release(self, lease: Lease) -> None:
        super().release(lease)
        box = self.ledger.read(lease.run_id, ENTRY, str)
        if box is not None and Path(box).is_dir():
            shutil.rmtree(box)
            self.log(f"box {box} removed")

    def commands(self, lease: Lease) -> tuple[str, ...]:
        box = self.ledger.read(lease.run_id, ENTRY, str)
        return (f"ls {box}", f"rm -r {box}")


class BoxProvider(Provider):
    """Runs tiers as processes that have a folder."""

    name = "box"
    description = "in a folder of its own"
    capabilities = Capabilities(
        is_cluster=False, programs=(RequiredProgram("boxer", ("--version",), (2, 0, 0), "ask Ann"),)
    )
    settings = BoxSettings

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        return BoxEnvironment(ledger=ledger, log=log)
