"""What the package looks like from far away, in numbers: `make shape`."""
