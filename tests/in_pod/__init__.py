"""What holds in every form of the platform, felt from a test pod; each suite's Job collects it."""
