"""The arithmetic of failures: what a fleet's size predicts, before anybody breaks anything.

`failures` has how often and how soon, `survival` whether enough is left, `spans` the words for spans of time.
`seatrial risk` shows all of it.
"""
