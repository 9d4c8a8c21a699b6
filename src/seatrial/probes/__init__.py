"""How the system under test is looked at, without changing it."""
