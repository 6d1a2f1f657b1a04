"""The environments there are, a folder each."""
