"""The sandbox's network: addresses of loopback, Services, relays, and who can't reach whom."""
