"""What a scenario is made of: one file a step, its policy model and the coroutine that carries it out."""
