"""A small HTTP service around an exported detector, and a watch on the folder of a camera."""
