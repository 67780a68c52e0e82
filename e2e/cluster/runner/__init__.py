"""The engine runner: runs pods of simulated nodes as local processes, as a kubelet would."""
