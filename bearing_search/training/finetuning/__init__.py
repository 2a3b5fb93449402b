"""Multi-task fine-tuning of the encoder."""
