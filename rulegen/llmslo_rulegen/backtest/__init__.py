"""History replayed through the rules."""
