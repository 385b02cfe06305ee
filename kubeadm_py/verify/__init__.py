"""Prove a live cluster with a testinfra suite."""
