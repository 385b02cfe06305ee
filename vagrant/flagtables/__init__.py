"""Make the tables of the flags that components have, from their binaries."""
