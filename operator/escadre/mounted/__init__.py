"""What engines' pods mount and run themselves: files, not imported by the operator."""
