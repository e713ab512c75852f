"""The contract room: pure rules that turn one line of bytes into an accepted or a rejected record."""
