"""One run of a tier, from cluster to verdict, in plain Python."""
