"""How fast a model is pulled: this build beside 0.1.0, an ideal loop and other tools."""
