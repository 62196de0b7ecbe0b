"""The ground floor: errors, configuration, registries, chance, folders, words for the terminal. Imports nothing of ours, and no torch."""
