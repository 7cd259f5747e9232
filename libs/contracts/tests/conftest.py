"""Property tests try the same cases every time and are not timed: a test must not fail because a machine is busy."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
