"""`shopify/toxiproxy`: a TCP proxy that is slow, cuts connections and loses data on request.

Its HTTP interface (`api`), command line (`cli`) and toxics (`toxics`) are Toxiproxy's own.
"""
