"""The same files and the same outputs, asked of us and of other image servers: see docs/peers.md."""
