"""Plants faults into clean tables of classified texts and writes down each one. Imports nothing of what it is to measure."""
