"""Settings of the property tests: no time limit for an example, since a busy machine is no defect."""

from hypothesis import settings

settings.register_profile("policy", deadline=None)
settings.load_profile("policy")
