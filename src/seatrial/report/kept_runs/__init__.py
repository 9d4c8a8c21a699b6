"""Runs that a store keeps, as people and programs are shown them: the list, one run, two compared, all of one."""
