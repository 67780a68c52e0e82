"""Scaling while something is broken, with an engine and a client that others wrote: slow cases."""
