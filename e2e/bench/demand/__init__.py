"""What reading the engines costs the operator; see ``__main__``."""
