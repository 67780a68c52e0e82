"""A test cluster with escadre installed, a mirror, and people: the stage of demo and e2e cases."""
