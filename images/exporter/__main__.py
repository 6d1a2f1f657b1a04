"""Run the exporter that lies beside this file."""

import runpy

runpy.run_module("exporter", run_name="__main__")
