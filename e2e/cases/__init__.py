"""Cases that need the whole: cluster, chart, agents, mirror and people."""
