"""Decide which binaries and images a host needs, and fetch them."""
