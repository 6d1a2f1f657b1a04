"""What watches the tiers from outside a run."""
