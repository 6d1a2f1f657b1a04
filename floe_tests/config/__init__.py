"""What people write: tiers, suites, test-job.yaml, variables, and the lists beside them."""
