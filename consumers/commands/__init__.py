"""The commands of `refrain`, a family a file. Each imports what it needs when it runs: help stays quick."""
