"""Plan a host's way back, part by part."""
