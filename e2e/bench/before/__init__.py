"""Two versions side by side: the one before the last and this one."""
