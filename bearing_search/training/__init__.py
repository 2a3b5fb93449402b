"""The stages of a trial: prepare, fine-tune, detect, score."""
