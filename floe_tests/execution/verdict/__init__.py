"""Whose fault a red run is: facts, the rules, and what speaks for each."""
