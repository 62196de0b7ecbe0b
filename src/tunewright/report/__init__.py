"""The page and the model card of a run: reads the run folder and nothing else, so it can be run a year later.

``page.write(run)`` writes ``report.html``, ``card.write(run)`` writes ``README.md``. What the folder does not hold
is said as missing on the page; nothing is guessed.
"""
