"""What the tests said: read, proved, written as JUnit, and remembered."""
