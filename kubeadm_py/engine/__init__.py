"""Carry out actions: the only place where things happen."""
