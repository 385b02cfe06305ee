"""Bring a whole cluster to what its file says: its members, what each is planned from, in which order."""
