"""Small pictures as SVG: the document around them, and words in it. Pure."""

from collections.abc import Iterable
from html import escape

__all__ = ["document", "words"]


def document(width: int, height: int, font_size: int, parts: Iterable[str]) -> str:
    """On white, a part a line."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    lines = [
        f'{head} font-family="sans-serif" font-size="{font_size}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def words(x: float, y: float, text: str, anchor: str = "start", *, bold: bool = False) -> str:
    """A line of text, which begins, has its middle or ends at ``x``; any text is safe."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
