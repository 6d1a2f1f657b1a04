"""What people read: the grid of a tier's history, and reference pages made from the code."""
