"""A suite in shards: one Indexed Job, its pods followed beside each other, their results proved.

The story in pictures and numbers: docs/shards.md. Why it is made like this:
docs/decisions/0025-shards-are-one-indexed-job.md.
"""
