"""What the API server says of a text that does not have the form that a field asks for. Pure."""

from pydantic_core import ErrorDetails

from escadre.api.base import Model
from escadre.api.schema import structural

__all__ = ["rule_of"]


def rule_of(model: type[Model], fault: ErrorDetails) -> str:
    """The rule that a field of a spec breaks, as people read it; "" where there is none."""
    if fault["type"] != "string_pattern_mismatch":
        return ""
    schema = structural(model, people=True)
    for part in fault["loc"]:
        schema = schema["items"] if isinstance(part, int) else schema["properties"][part]
    rules = schema.get("x-kubernetes-validations")
    return str(rules[0]["message"]) if rules else ""
