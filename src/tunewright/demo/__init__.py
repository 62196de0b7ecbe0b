"""The offline demonstration: a generator of support tickets, with the faults it plants written down."""
