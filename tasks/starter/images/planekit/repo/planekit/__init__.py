"""Plane geometry for drawings."""
