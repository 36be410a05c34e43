"""Whether a page is what browsers and readers of screens expect, without a browser."""

from collections.abc import Iterator
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "source"})
_ADDRESSES = ("src", "href", "poster")


class Page(HTMLParser):
    """The elements of a page; ``faults`` tells what is not closed, doubled or unlabelled."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]
        self.faults += list(self._doubled()) + list(self._unlabelled())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.faults += [f"<{tag}> has {name} twice" for name in set(names) if names.count(name) > 1]
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def addresses(self) -> list[str]:
        """What the page loads or links to."""
        return [str(values[name]) for _, values in self.elements for name in _ADDRESSES if name in values]

    def _doubled(self) -> Iterator[str]:
        ids = [values["id"] for _, values in self.elements if "id" in values]
        yield from (f"two elements are {name!r}" for name in {one for one in ids if ids.count(one) > 1})
        targets = [address[1:] for address in self.addresses() if address.startswith("#")]
        labels = [values["aria-labelledby"] for _, values in self.elements if "aria-labelledby" in values]
        yield from (f"there is no {name!r}" for name in [*targets, *labels] if name not in ids)

    def _unlabelled(self) -> Iterator[str]:
        for tag, needed in (("img", "alt"), ("video", "aria-label"), ("svg", "aria-label")):
            yield from (f"<{tag}> without {needed}" for values in self.all(tag) if not values.get(needed))
        for tag, values in self.elements:
            if "tabindex" in values and not values.get("aria-label"):
                yield f"<{tag}> can be reached by keyboard and has no name"
