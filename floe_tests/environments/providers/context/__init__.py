"""An existing cluster, in a namespace of the run."""
