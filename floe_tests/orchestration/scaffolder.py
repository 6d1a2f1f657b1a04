"""`dg scaffold defs floe_tests.TestTier NAME`: the tier that `floe-tests init` writes."""

import logging
import os
from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from floe_tests.core.errors import ConfigurationError
from floe_tests.scaffold.names import label_from

_log = logging.getLogger("dagster.floe_tests")


class TierParams(BaseModel):
    """What `dg scaffold` can be told of a new tier."""

    chart: str | None = Field(
        default=None,
        description="The Helm chart to test: a folder or a .tgz file, relative to the working "
        "folder, or an oci:// address. Without one, the tier tests the cluster.",
    )


class TierScaffolder(dg.Scaffolder[TierParams]):
    """Writes the settings, the Job and the suite of a new tier."""

    @classmethod
    def get_scaffold_params(cls) -> type[TierParams]:
        """Return what it can be told."""
        return TierParams

    def scaffold(self, request: dg.ScaffoldRequest[TierParams]) -> None:
        """Write the tier.

        Args:
            request: Where it goes, and what is known of it.

        Raises:
            ConfigurationError: Files of that name are there already.
        """
        from floe_tests.scaffold import files
        from floe_tests.scaffold.chart import find_chart, looked_at

        root = request.project_root or Path.cwd()
        chart = None
        if request.params.chart is not None:
            found = find_chart(request.params.chart, root=root, repository=None, version=None)
            chart = looked_at(found, root=root, values_files=(), log=_log.info)
        planned = files.tier_files(
            os.path.relpath(request.target_path.parent, root),
            label_from(request.target_path.name, default="tier"),
            namespace=label_from(root.name, default="tests"),
            chart=chart,
            values_files=(),
        )
        to_write = {root / path: content for path, content in planned.items()}
        there = ", ".join(str(path) for path in files.existing(to_write))
        if there:
            message = f"nothing was written: {there} is there already. Choose another name."
            raise ConfigurationError(message)
        files.write(to_write)
