"""The smallest system: it predicts the mean color of the next frame. It has the files of every system."""
