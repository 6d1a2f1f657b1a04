"""What the suites that test floe-platform share: its APIs, typed, and the waiting for them.

Imported under its own name: `tests/conftest.py` sees to the path, on a laptop as in the image.
"""
