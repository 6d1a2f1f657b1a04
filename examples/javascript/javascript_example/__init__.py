"""Tests in JavaScript."""
