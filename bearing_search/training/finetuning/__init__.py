"""Fine-tunes the encoder."""
