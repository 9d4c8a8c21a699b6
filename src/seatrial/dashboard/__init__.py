"""The dashboard: a cluster on one screen, kept up to date by watches, and keys to break it by hand and to mend it.

`app` is the screen. `board` knows what stands on it and `node_board` draws that; `recoveries`, `experiments` and `feed`
have what stands beside it, `dialogs/` what is asked. What a key does goes through `acting` and a `by_hand` session,
as in the shell. textual, with which all of this is drawn, is the extra `tui`.
"""
