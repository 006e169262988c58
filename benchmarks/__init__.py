"""What the project is worth, how fast and how exact it is, one folder a room; README.md says how to run each."""
