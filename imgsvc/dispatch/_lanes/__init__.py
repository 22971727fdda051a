"""Lanes: one process each, one task in flight, and what goes on in and around such a process."""
