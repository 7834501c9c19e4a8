"""This package makes a compressed model something to take away: the artifact, a card of its facts, and a program.

`programs` holds the program's files. They run without this library, so they import nothing of it.
"""
