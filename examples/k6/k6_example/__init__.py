"""A load test."""
