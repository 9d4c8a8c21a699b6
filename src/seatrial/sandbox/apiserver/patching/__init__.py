"""How objects are changed in part: the four kinds of patches, server-side apply, and who owns which field."""
