"""Guard what changes on a host that works: one thing after the other, put back on failure."""
