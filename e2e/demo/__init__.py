"""Test tooling of escadre."""
