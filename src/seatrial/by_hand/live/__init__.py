"""The cluster as it is at this moment, kept up to date by watches, for people who look and for completion."""
