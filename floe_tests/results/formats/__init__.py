"""Files that tools write: JUnit, pytest events."""
