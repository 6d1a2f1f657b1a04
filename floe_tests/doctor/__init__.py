"""What a tier needs, looked at before it runs: what is there, what is missing, what to do."""
