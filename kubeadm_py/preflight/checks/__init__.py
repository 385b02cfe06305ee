"""Hold the checks, one module a subject; table.py lists them."""
