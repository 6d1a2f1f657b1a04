"""Run the exporter that lies beside this file."""

import exporter.__main__  # noqa: F401 - importing it runs it
