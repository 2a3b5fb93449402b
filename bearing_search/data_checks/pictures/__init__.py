"""What the pictures of a part are like: sizes, black ones, and how small their defects are."""
