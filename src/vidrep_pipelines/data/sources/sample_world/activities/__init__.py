"""What the arm does, one activity per module."""
