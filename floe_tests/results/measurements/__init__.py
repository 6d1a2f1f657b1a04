"""What soaks and benchmarks measured, and the statistics that judge it."""
