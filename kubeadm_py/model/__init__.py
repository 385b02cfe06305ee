"""Hold the words of the product: no I/O, importable from everywhere."""
