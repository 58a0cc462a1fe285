"""Types as JSON Schema: pydantic makes it from the core schemas by which values are checked."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from archdsl.schemas.annotations import core_schema_of, listed
from archdsl.schemas.meanings import meanings_of
from archdsl.schemas.schema import Schema, plain_data

Json = dict[str, Any]


def json_schema_of(annotation: Any) -> Json:
    """The JSON Schema of a type; of a Schema with its docstring, and those below its keys, as descriptions.

    Raises pydantic.PydanticUserError for a type that no JSON can be of.
    """
    return _Generator().generate(core_schema_of(annotation))


class _Generator(GenerateJsonSchema):
    """pydantic's, with what it does not know of Schema and of OneOrMore."""

    def model_schema(self, schema: core_schema.ModelSchema) -> Json:
        made = super().model_schema(schema)
        for key, meaning in meanings_of(schema["cls"]).items():
            made["properties"][key]["description"] = meaning
        return made

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Json:
        made = super().function_before_schema(schema)
        if schema["function"]["function"] is not listed:
            return made
        limits = {key: value for key, value in made.items() if key == "minItems"}
        of_text = {key: value for key, value in made["items"].items() if key == "pattern"}  # of one on its own too
        return {"type": ["string", "array"], "items": {"type": "string", **of_text}, **of_text, **limits}

    def encode_default(self, dft: Any) -> Any:
        return plain_data(dft) if isinstance(dft, Schema) else super().encode_default(dft)
