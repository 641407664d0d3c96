"""Benchmarks: how fast Deepwell is, beside its peers, measured in the same run."""
