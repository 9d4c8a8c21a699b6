"""What a run is made of: context, events, journal, undo, clock, random numbers, verdicts.

It stands below the steps, which use it, and above `kube`; `engine` puts it together and drives it.
"""
