"""Taking a network apart: the paper's figures and tables on one's own weights, images as PNG and numbers as CSV."""
