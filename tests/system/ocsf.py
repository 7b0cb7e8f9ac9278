# SPDX-License-Identifier: Apache-2.0
"""Holds a document against OCSF 1.8.0: the classes' JSON Schemas as `ocsf-json-schema` makes them of
the schema it carries, and what they cannot say."""

import functools

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"


@functools.lru_cache(None)
def _schema():
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))


@functools.lru_cache(None)
def _validator(class_uid):
    document = _schema().get_class_schema(_schema().lookup_class_name_from_uid(class_uid))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def _siblings(document):
    """What an id is called, by the schema: 99 is the source's to name."""
    known = _schema().schema.schema
    name = _schema().lookup_class_name_from_uid(document["class_uid"])
    attributes = known["classes"][name]["attributes"]
    for attribute in ("activity_id", "severity_id", "status_id"):
        if attribute in document:
            sibling = attributes[attribute].get("sibling") or attribute.removesuffix("_id")
            caption = attributes[attribute]["enum"][str(document[attribute])]["caption"]
            yield attribute, document.get(sibling), caption
    yield "class_uid", document.get("class_name"), known["classes"][name]["caption"]
    yield ("category_uid", document.get("category_name"),
           attributes["category_uid"]["enum"][str(document["category_uid"])]["caption"])


def errors(document):
    """All that is wrong with it."""
    try:
        validator = _validator(document.get("class_uid"))
    except (TypeError, ValueError) as error:
        return [f"class_uid: {error}"]
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    if found:
        return found
    if document["metadata"]["version"] != VERSION:
        found.append(f"metadata.version: {document['metadata']['version']}")
    if document["type_uid"] != document["class_uid"] * 100 + document["activity_id"]:
        found.append(f"type_uid: {document['type_uid']}")
    for attribute, word, caption in _siblings(document):
        if word is None or (caption != "Other" and word != caption):
            found.append(f"{attribute}: {word}, not {caption}")
    return found
