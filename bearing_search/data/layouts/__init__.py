"""How files are laid out: one module for each family of layouts."""
