"""Settings of all tests: hypothesis judges results, not the speed of a shared machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("escadre", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("escadre")
