"""Reach a host over SSH: the only package that imports fabric and paramiko."""
