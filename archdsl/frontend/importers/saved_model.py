"""What a saved Keras model says of itself, which is data: a file may come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic_core import ValidationError

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import describe
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sema.schema import Text
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.values import read_mapping
from archdsl.schemas.annotations import Limits
from archdsl.schemas.schema import Schema

PLACE = "<saved model>"
ModelName = Annotated[str, Limits(pattern=r"^[^/]+$", max_length=200)]
_Saved = TypeVar("_Saved", bound=Schema)


class PlainArguments(Schema):
    """What a plain Backbone is besides its config."""

    name: ModelName | None = None
    trainable: bool = True
    frozen: list[Text] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What Backbone.restore_state takes."""
        return {"trainable": self.trainable} | ({} if self.frozen is None else {"frozen": self.frozen})


class SavedBackbone(PlainArguments):
    """What Backbone.get_config writes."""

    dtype: Text | None = None
    config: dict[str, Any]
    passes: list[Text] = []


def checked(schema: type[_Saved], stated: Any, budget: Budget) -> _Saved:
    """`stated` as plain data that `schema` describes. Raises ArchError when it is anything else."""
    if not isinstance(stated, Mapping):
        raise fail("type", f"expected a mapping, got {describe(stated)}", mark=Mark(PLACE))
    source = read_mapping(stated, PLACE, budget)
    try:
        return schema.model_validate(source.values)
    except ValidationError as error:
        config = Config("saved", PLACE, source.values, {})
        raise ArchError(problems_of(error, config, schema, (), "a saved model")) from None


def without_parents(config: dict[str, Any]) -> dict[str, Any]:
    """The config, which is resolved. Raises ArchError where it names parents, which would be read from other files."""
    if "defaults" in config:
        raise fail("defaults", "a saved config has no parents", mark=Mark(PLACE), path="config.defaults")
    return config
