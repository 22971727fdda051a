"""Programs that measure; benchmarks/README.md says how."""
