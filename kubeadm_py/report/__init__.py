"""Show a run's events to people and machines."""
