"""Which tests are missing: compared with the last good runs."""
