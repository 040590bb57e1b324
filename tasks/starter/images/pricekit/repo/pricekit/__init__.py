"""Prices, discounts and interest."""
