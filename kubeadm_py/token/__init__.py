"""Make, read and verify bootstrap tokens and cluster-info: no I/O."""
