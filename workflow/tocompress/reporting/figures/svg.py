"""Write figures as SVG: text stays text, marks tell their numbers under the pointer, and a page may theme it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from tocompress.reporting.palette import INK

_SVG = "http://www.w3.org/2000/svg"
_TOLD = "told: "  # begins the id of an artist that has a text
_FONTS = "DejaVu Sans, Verdana, sans-serif"
_NUMBERS = ("d", "x", "y", "transform", "points")  # attributes that hold places

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def tell(artist: Artist, text: str) -> None:
    """Show `text` where the pointer rests on an artist in an SVG."""
    artist.set_gid(_TOLD + text)


def text_of(figure: Figure, alternatives: Mapping[str, Figure] | None = None) -> str:
    """Return a figure as SVG. `alternatives` of the same size are hidden in it, by their names.

    A page shows one of the groups `data-switch`. The first of them is the figure, which any viewer shows.
    """
    root = _tree(figure)
    if alternatives:
        own = list(root)
        for child in own:
            root.remove(child)
        for place, (name, other) in enumerate(alternatives.items()):
            group = ElementTree.SubElement(root, f"{{{_SVG}}}g", {"data-switch": name})
            if place:
                group.set("display", "none")
            group.extend(own if other is figure else list(_prefixed(_tree(other), f"{name}-")))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _tree(figure: Figure) -> ElementTree.Element:
    """Return the figure's elements. Each artist with a text of its own has a title."""
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tocompress"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(file.getvalue())  # noqa: S314, made here
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    _lighten(root)
    for element in root.iter():
        if (told := element.get("id", "")).startswith(_TOLD):
            del element.attrib["id"]
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = told.removeprefix(_TOLD)
            element.insert(0, title)
    return root


def _lighten(root: ElementTree.Element) -> None:
    """Remove everything that only makes the file larger, and name the font once."""
    root.set("font-family", _FONTS)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', ElementTree.tostring(root, encoding="unicode")))
    for element in root.iter():
        element.text, element.tail = ((part or "").strip() or None for part in (element.text, element.tail))
        if not element.get("id", "").startswith(_TOLD) and element.get("id") not in used:
            element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            element.set(name, _shorter(name, value))
        if not element.get("transform"):
            element.attrib.pop("transform", None)
        if element.tag == f"{{{_SVG}}}use":  # the rest is in the shape that it uses
            parts = element.get("style", "").split(";")
            element.set("style", ";".join(part for part in parts if part.startswith("fill")))
    _unwrap(root)


def _shorter(name: str, value: str) -> str:
    """Return the value of an attribute without its own font, rotations by nothing and needless digits."""
    if name == "style":
        return re.sub(r"font-family: [^;]+; ", "", value).replace(": ", ":").replace("; ", ";")
    if name in _NUMBERS:
        value = re.sub(r"rotate\(-?0 [^)]*\)", "", value)
        value = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found.group()):.2f}".rstrip("0").rstrip("."), value)
        return re.sub(r" +(?=[A-Za-z])|(?<=[A-Za-z]) +| +$", "", value)
    return value


def _unwrap(parent: ElementTree.Element) -> None:
    """Put the children of groups without any attribute in the place of their group."""
    for child in parent:
        _unwrap(child)
    children = [inner for child in parent for inner in (child if _is_bare(child) else [child])]
    for child in list(parent):
        parent.remove(child)
    parent.extend(children)


def _is_bare(element: ElementTree.Element) -> bool:
    return element.tag == f"{{{_SVG}}}g" and not element.attrib


def inline(svg: str, name: str, dark: Mapping[str, str], label: str) -> str:
    """Return an SVG for a page: ids begin with `name`, and colours are variables that the page may set.

    `dark` holds the known colours, and `label` the text that stands for the picture.
    """
    root = _prefixed(ElementTree.fromstring(svg), f"{name}-")  # noqa: S314, made by this project
    root.set("role", "img")
    root.set("aria-label", label)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    text = ElementTree.tostring(root, encoding="unicode")
    known = re.compile("|".join(map(re.escape, dark)), re.IGNORECASE)
    return known.sub(lambda found: _variable(found.group().lower()), text)


def variables(dark: Mapping[str, str]) -> str:
    """Return the declarations of the variables of `inline` for a dark page, as CSS."""
    return " ".join(f"{_name(light)}: {colour};" for light, colour in dark.items() if light != INK)


def _variable(colour: str) -> str:
    return "currentColor" if colour == INK else f"var({_name(colour)}, {colour})"


def _name(colour: str) -> str:
    return f"--c{colour.removeprefix('#')}"


def _prefixed(root: ElementTree.Element, prefix: str) -> ElementTree.Element:
    """Return the elements with a prefix for every id and for every reference to one."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, prefix + value)
            elif name.endswith("href") and value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
            else:
                element.set(name, value.replace("url(#", f"url(#{prefix}"))
    return root
