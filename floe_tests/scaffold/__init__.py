"""A new project, and a new tier in one: the files that a team begins with."""
