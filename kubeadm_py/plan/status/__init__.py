"""Look what a cluster is like, and change nothing."""
