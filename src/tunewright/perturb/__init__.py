"""Pure functions: a text and a source of chance in, a changed text and moved offsets out."""
