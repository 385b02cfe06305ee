"""Plan a host's member of etcd: its birth, how it joins, how it is spoken to."""
