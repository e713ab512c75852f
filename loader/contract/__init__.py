"""The contract room: pure rules of what a line may hold, whatever its kind, and why it is rejected."""
