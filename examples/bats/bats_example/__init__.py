"""Tests in bats."""
