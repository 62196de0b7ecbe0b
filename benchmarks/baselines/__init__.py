"""What a user would pick instead. Frozen: a ratio that is missed is reported, never mended here."""
