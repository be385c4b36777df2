"""A model as a small HTTP service: the painting page and the API that it uses."""
