"""Settings of the data tests."""

from hypothesis import settings

# A busy machine is not a failure: 200 ms per example can pass while another process has the core.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
