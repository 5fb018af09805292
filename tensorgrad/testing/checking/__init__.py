"""What `gradcheck` is made of."""
