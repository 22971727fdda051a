"""The only room that decodes: probe, limits, render: one decode, many results."""
