"""`refrain redrive`: puts dead letters back whose cause is gone.

letters.py    a dead letter read back: the event that it was, and what identifies it
redrive.py    goes through the topic, and puts back what can be used by now, each once
"""
