"""What is done to a target: one file an action, its policy model and the coroutine that carries it out."""
