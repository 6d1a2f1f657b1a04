"""A platform that stays: the run uses its namespace and takes away what it created."""
