"""What the commands print: tables and JSON of the history, loaded when they are asked for."""
