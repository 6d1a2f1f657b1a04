"""Where a tier runs: processes of this machine, a kind cluster, an existing cluster."""
