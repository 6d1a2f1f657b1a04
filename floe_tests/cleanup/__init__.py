"""What runs have left behind: found, shown, removed."""
