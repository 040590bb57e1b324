"""What is to be repaired: issues, their oracles, and where both come from."""
