"""Treats a real server badly for a while, and then holds its record against that of its clients."""
