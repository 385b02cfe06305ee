"""Learn what a host is: one probe script, pure parsers."""
