"""The same work, placed as the tutorials place it and as we do: see `benchmarks/placement.py`."""
