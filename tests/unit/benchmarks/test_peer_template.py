"""How a server wants to be asked."""

from __future__ import annotations

import pytest

from benchmarks.peers.orders import Order
from benchmarks.peers.services import IPX_TEMPLATE, OUR_STORED_TEMPLATE, OUR_TEMPLATE, THUMBOR_TEMPLATE
from benchmarks.peers.template import Address, Template, TemplateError

PLAIN = "/{width}/{format}[,q_{quality}]/{file}"


def test_places_are_filled_in() -> None:
    values = {"width": "800", "format": "webp", "quality": "80", "file": "a.jpg"}
    assert Template(PLAIN).path(values) == "/800/webp,q_80/a.jpg"


def test_a_part_in_brackets_goes_where_it_has_no_value() -> None:
    assert Template(PLAIN).path({"width": "400", "format": "png", "file": "a.png"}) == "/400/png/a.png"


def test_a_part_goes_as_a_whole() -> None:
    template = Template("/{width}/{format}[:blur({radius},{blur})]/{file}")
    values = {"width": "1", "format": "png", "file": "a", "blur": "5"}
    assert template.path(values) == "/1/png/a"
    assert template.path(values | {"radius": "15"}) == "/1/png:blur(15,5)/a"


def test_what_is_not_optional_must_have_a_value() -> None:
    with pytest.raises(TemplateError, match=r"nothing is known for \{quality\}"):
        Template("/{width}/{format}/{quality}/{file}").path({"width": "1", "format": "png", "file": "a"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/{width}/{format}/{fiel}", r"there is no \{fiel\}; there are \{file\}, \{image\}"),
        ("/{width}/{format}", r"it needs \{file\} or \{image\}"),
        ("/{width}/{file}", r"it needs \{format\}"),
        ("/{format}/{file}", r"it needs \{width\}"),
        ("/{width}/{format}[/{file}", "without its counterpart"),
        ("/{width}/{format}/{file", "without its counterpart"),
        ("/{width}[/[{format}]]/{file}", "without its counterpart"),
        ("/{width}/{format}/{}/{file}", r"there is no \{\}"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        Template(text)


def test_what_a_template_has_no_place_for_it_cannot_be_asked() -> None:
    template = Template(PLAIN)
    assert template.can(Order(800, "jpeg").needs)
    assert not template.can(Order(800, "jpeg", blur=5).needs)
    assert not template.can(Order(800, "jpeg", sharpen=1).needs)


def test_everybody_is_asked_in_their_own_words() -> None:
    blurred = {"file": "a.jpg", "image": "img_1"} | Order(800, "jpeg", blur=5).values(80)
    assert OUR_TEMPLATE.path(blurred) == "/r/@a.jpg/resize:800x/blur:5/jpeg:80"
    assert OUR_STORED_TEMPLATE.path(blurred) == "/r/img_1/resize:800x/blur:5/jpeg:80"
    assert IPX_TEMPLATE.path(blurred) == "/w_800,f_jpeg,q_80,blur_5/a.jpg"
    assert THUMBOR_TEMPLATE.path(blurred) == "/unsafe/800x0/filters:format(jpeg):quality(80):blur(15,5)/a.jpg"


def test_a_png_has_no_quality() -> None:
    values = {"file": "a.png", "image": "img_1"} | Order(400, "png").values(80)
    assert OUR_TEMPLATE.path(values) == "/r/@a.png/resize:400x/png"
    assert IPX_TEMPLATE.path(values) == "/w_400,f_png/a.png"


def test_we_are_asked_for_what_the_kernel_is_given() -> None:
    for order in (
        Order(800, "jpeg", blur=5),
        Order(800, "jpeg", sharpen=1),
        Order(400, "png"),
        Order(8, "avif"),
    ):
        quality = {"jpeg": 80, "avif": 55}.get(order.format)
        path = OUR_STORED_TEMPLATE.path({"image": "img_1"} | order.values(quality))
        assert path == f"/r/img_1/{order.pipeline}"


def test_an_address_is_a_name_a_port_and_a_template() -> None:
    address = Address.parse("imagor=http://127.0.0.1:8000/unsafe/{width}x0/filters:format({format})/{file}")
    assert (address.name, address.port) == ("imagor", 8000)
    assert address.template.text == "/unsafe/{width}x0/filters:format({format})/{file}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://127.0.0.1:1/{width}/{format}/{file}", "is not NAME="),
        ("a=https://127.0.0.1:1/{width}/{format}/{file}", "is not NAME="),
        ("a=http://127.0.0.1:1", "is not NAME="),
        ("a=http://images.example:80/{width}/{format}/{file}", "not a port of this machine"),
        ("a=http://127.0.0.1/{width}/{format}/{file}", "not a port of this machine"),
        ("a=http://127.0.0.1:x/{width}/{format}/{file}", "is not HOST:PORT"),
        ("a=http://me@127.0.0.1:80/{width}/{format}/{file}", "not a port of this machine"),
        ("a=http://127.0.0.1:80/{width}/{file}", r"it needs \{format\}"),
    ],
)
def test_an_address_that_is_none_or_elsewhere_is_refused(text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        Address.parse(text)
