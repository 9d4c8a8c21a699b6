"""What each kind adds to the general rules: defaults, preparation, validation.

`base.Strategy` is the shape; `catalogue.strategy_of` finds the one of a resource. A kind without a strategy of its
own is stored as it is decoded.
"""
