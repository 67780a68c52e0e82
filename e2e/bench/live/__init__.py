"""The simulator beside the live system: one trace, once in virtual time and once in real time."""
