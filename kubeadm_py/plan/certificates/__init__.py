"""Make, find, renew and look at the keys and certificates of a cluster's hosts."""
