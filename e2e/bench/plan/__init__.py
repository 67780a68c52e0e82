"""Planning alone, without a cluster: seconds of processor time and memory of one pass."""
