"""The autoscalers that ``make bench-autoscale`` holds Escadre against, by their own code."""
