"""Reach hosts: over SSH, on this very machine, or in a test."""
