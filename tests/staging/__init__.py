"""What runs against the platform of a staging cluster for long, or again and again."""
