"""Where a tier runs, and the lease that says what a run may use and must return."""
