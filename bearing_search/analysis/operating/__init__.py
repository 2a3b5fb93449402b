"""Operating points: thresholds, and the rates of defects found and of false alarms."""
