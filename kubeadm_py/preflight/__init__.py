"""Check facts before anything changes: pure checks that return findings."""
