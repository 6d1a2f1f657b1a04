"""Running a suite: its Job, its result stream, its verdict."""
