"""What a person sees of a run: the terminal's live account and the closing summary."""
