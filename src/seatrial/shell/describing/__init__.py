"""`describe`: an account of one thing, for people: what it is, how it is, what counts on it, what losing it means.

`account` is how all of them look, `related` finds what belongs to a thing, `things` which thing is meant; one module
each knows pods, nodes, workloads, Services, and everything else.
"""
