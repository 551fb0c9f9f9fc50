"""Rules in the files that servers and operators other than a plain Prometheus read."""
