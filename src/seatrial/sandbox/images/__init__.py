"""The built-in programs that image names stand for."""
