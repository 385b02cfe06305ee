"""Say what a plan would change, and why."""
