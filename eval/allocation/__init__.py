"""Where the next sample buys the most: a posterior over solve rates, and what follows from it."""
