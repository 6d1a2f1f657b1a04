"""Running a suite: its Job or process, its result stream, its verdict."""
