# SPDX-License-Identifier: Apache-2.0
"""The schemas and what validators of three languages make of them: Python's jsonschema, JavaScript's
ajv, Go's santhosh-tekuri/jsonschema."""

import copy
import json
import re
from contextlib import nullcontext

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import others
from law import SCHEMAS

FILES = sorted([*SCHEMAS.glob("*.json"), *SCHEMAS.glob("vendors/*.json")])
DOCUMENTS = {path.relative_to(SCHEMAS).as_posix(): json.loads(path.read_text()) for path in FILES}
OPEN = {"kind", "proof", "stage", "detail", "event_code", "status_detail", "class_uid"}
FORMATS = Draft202012Validator.FORMAT_CHECKER


def python(files, questions):
    documents = [json.loads(path.read_text()) for path in files]
    for document in documents:
        Draft202012Validator.check_schema(document)
    registry = Registry().with_resources(
        (document["$id"], Resource.from_contents(document)) for document in documents)
    by_name = {document["$id"]: Draft202012Validator(document, registry=registry, format_checker=FORMATS)
               for document in documents}
    return [next((error.message for error in by_name[each["schema"]].iter_errors(each["document"])),
                 None) for each in questions]


def javascript(files, questions):
    return others.node("validate.js", *files, questions=questions)


def golang(files, questions):
    return others.go("validate", *files, questions=questions)


VALIDATORS = pytest.mark.parametrize("validate", [python, javascript, golang])


def inner(schema, where=""):
    """Every schema that describes a property, an element or the values of a free map."""
    for name, each in schema.get("properties", {}).items():
        yield f"{where}.{name}", each
        yield from inner(each, f"{where}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from inner(schema[word], f"{where}[]")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_says_what_it_is(name):
    document = DOCUMENTS[name]
    stem = name.removesuffix(".json").removeprefix("vendors/")
    kind = "vendor:" if name.startswith("vendors/") else ""
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:vulnbus:schema:{kind}{stem}:v1"
    assert document["title"] == stem and document["description"] and document["examples"]
    for where, each in inner(document):
        assert re.match(r".+[.)]$", each.get("description", "")), f"{where} is not described"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_lets_pass_what_a_later_version_adds(name):
    """So a reader that validates against today's schema goes on reading; see "The versioning law"."""
    for where, each in [("", DOCUMENTS[name]), *inner(DOCUMENTS[name])]:
        assert each.get("additionalProperties", True) is not False, where
        if where.rpartition(".")[2] in OPEN:
            assert "enum" not in each and each["x-extensible-enum"], where


def examples():
    return [{"schema": schema["$id"], "document": example}
            for schema in DOCUMENTS.values() for example in schema["examples"]]


@VALIDATORS
def test_the_examples_are_valid(validate):
    assert validate(FILES, examples()) == [None] * len(examples())


def wrong_ones():
    """(what is wrong, the schema's $id, the document): one of each kind for each place of an example."""
    for name, schema in DOCUMENTS.items():
        for example in schema["examples"]:
            yield from spoilt(name, schema, schema, example, example, schema["$id"])


def required(schema, part):
    """With what this one needs because it is of a certain class."""
    yield from schema.get("required", [])
    for each in schema.get("allOf", []):
        if all(part[name] == said["const"] for name, said in each["if"]["properties"].items()):
            yield from each["then"]["required"]


def spoilt(where, root, schema, example, part, identity):
    def changed(change):
        """A copy of the whole example, with this part of it changed."""
        memo = {}
        made = copy.deepcopy(example, memo)
        change(memo[id(part)])
        return made

    for name in required(schema, part):
        yield f"{where}.{name} is missing", identity, changed(lambda at, n=name: at.pop(n))
    for name, each in schema.get("properties", {}).items():
        if name not in part:
            continue
        for what, value in bad_values(each):
            yield (f"{where}.{name} is {what}", identity,
                   changed(lambda at, n=name, v=value: at.__setitem__(n, v)))
        if each.get("type") == "object":
            yield from spoilt(f"{where}.{name}", root, each, example, part[name], identity)


def bad_values(schema):
    """Values that a schema does not allow: (what they are, the value)."""
    kind = schema.get("type")
    yield "null", None
    yield "of another type", {"string": 1, "integer": "1", "number": "1", "boolean": "true",
                              "object": [], "array": {}}[kind]
    if kind == "integer":
        yield "a fraction", 1.5
    if "enum" in schema:
        yield "an unheard-of word", "unheard-of"
    if "pattern" in schema:
        yield "not of the pattern", "\n"
    if "minimum" in schema:
        yield "too small", schema["minimum"] - 1
    if "maximum" in schema:
        yield "too large", schema["maximum"] + 1
    if "minLength" in schema:
        yield "empty", ""
    if "maxLength" in schema:
        yield "too long", "x" * (schema["maxLength"] + 1)


@VALIDATORS
def test_a_mutated_example_is_refused(validate):
    cases = list(wrong_ones())
    assert len(cases) > 300 and {schema for _, schema, _ in cases} >= {
        document["$id"] for name, document in DOCUMENTS.items() if "/" not in name}
    said = validate(FILES, [{"schema": schema, "document": document} for _, schema, document in cases])
    assert len(said) == len(cases)
    assert [title for (title, _, _), error in zip(cases, said) if not error] == []


@VALIDATORS
@pytest.mark.parametrize("change, said", [
    (lambda schema: None, None),
    (lambda schema: schema.update(type="objekt"), r"'objekt' is not|/type|value must be one of"),
    (lambda schema: schema["properties"]["id"].update(minLength=-1), r"(?i)-1 is less|minLength"),
    (lambda schema: schema.update(required="id"), r"'id' is not of type|/required|required must be")],
    ids=["nothing", "type", "minLength", "required"])
def test_what_is_no_schema_is_refused(validate, tmp_path, change, said):
    document = copy.deepcopy(DOCUMENTS["event.json"])
    change(document)
    (tmp_path / "event.json").write_text(json.dumps(document))
    with pytest.raises(Exception, match=said) if said else nullcontext():
        assert validate([tmp_path / "event.json"], []) == []
