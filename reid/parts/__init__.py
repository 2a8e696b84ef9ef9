"""Parts of a vehicle that are seen in an image (front, back, roof, side): their masks and the distance over them."""
