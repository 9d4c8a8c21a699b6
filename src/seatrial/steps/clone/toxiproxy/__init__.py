"""Toxiproxy as a sidecar: which proxies and toxics there shall be, its HTTP interface, and keeping it configured."""
