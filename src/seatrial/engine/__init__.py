"""Runs a policy: rounds, scenarios, plans, recovery of what an earlier run left."""
