"""Reward hacking that no verdict can refuse: what in a patch is suspicious, with the lines."""
