"""What holds for all tests."""

from hypothesis import settings

# No verdict may depend on how busy the machine is, nor on luck that cannot be repeated.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
