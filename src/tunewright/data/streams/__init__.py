"""A source that is read while a run trains: blocks of rows, audited as they come, and resumed at the same row."""
