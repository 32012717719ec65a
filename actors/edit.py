"""What all edits of memory blocks have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Label = Annotated[str, Field(description="The label of the memory block.")]


class Edit(BaseModel):
    """Change a memory block."""

    model_config = ConfigDict(extra="forbid")
    label: Label
