"""Name the workflows and build plans from their steps."""
