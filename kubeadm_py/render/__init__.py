"""Turn a cluster and facts into files and API objects: no I/O."""
